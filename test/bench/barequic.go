package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// maxQUICFrame that a client may send.
const maxQUICFrame = 1 << 20

// serveBareQUIC is a loop that says yes to START and to whatever else a client of the gateway
// protocol says, until ctx ends. A connection has one goroutine beside those of quic-go.
func serveBareQUIC(ctx context.Context, addr string) error {
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	lis, err := quic.ListenAddr(addr, &tls.Config{
		Certificates: []tls.Certificate{cert}, NextProtos: []string{"gatesvr"}, MinVersion: tls.VersionTLS13,
	}, &quic.Config{KeepAlivePeriod: 10 * time.Second, MaxIncomingStreams: 1})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { _ = lis.Close() })() // Accept tells of it
	for {
		conn, err := lis.Accept(ctx)
		if err != nil {
			if errors.Is(err, quic.ErrServerClosed) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer func() { _ = conn.CloseWithError(0, "") }()
			defer context.AfterFunc(ctx, func() { _ = conn.CloseWithError(0, "") })() // its reader returns
			_ = serveQUICStream(ctx, conn)                                            // the client went away: nothing to tell it
		})
	}
}

func serveQUICStream(ctx context.Context, conn *quic.Conn) error {
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	in, seq := bufio.NewReaderSize(stream, webBufferSize), uint64(0)
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		body := make([]byte, min(binary.BigEndian.Uint32(head[:]), maxQUICFrame))
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		req := &gatewayv1.ClientRequest{}
		if err := proto.Unmarshal(body, req); err != nil {
			return err
		}
		resp, err := agreed(req)
		if err != nil {
			return err
		}
		if resp == nil {
			continue
		}
		seq++
		resp.SeqId = seq
		out, err := proto.Marshal(resp)
		if err != nil {
			return err
		}
		if _, err := stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...)); err != nil {
			return err
		}
	}
}

// agreed is a yes to a request, nil for those that have no answer.
func agreed(req *gatewayv1.ClientRequest) (*gatewayv1.ServerPush, error) {
	push := &gatewayv1.ServerPush{MsgId: req.GetMsgId()}
	var body proto.Message
	switch req.GetType() {
	case gatewayv1.RequestType_REQUEST_START:
		push.Type, body = gatewayv1.PushType_PUSH_START_RESP, &gatewayv1.StartResponse{Success: true}
	case gatewayv1.RequestType_REQUEST_HEARTBEAT:
		push.Type, body = gatewayv1.PushType_PUSH_HEARTBEAT_RESP, &gatewayv1.HeartbeatResponse{}
	case gatewayv1.RequestType_REQUEST_BUSINESS:
		push.Type, body = gatewayv1.PushType_PUSH_BUSINESS_DATA, &gatewayv1.BusinessResponse{Code: 200}
	default:
		return nil, nil //nolint:nilnil // an ACK
	}
	var err error
	push.Payload, err = proto.Marshal(body)
	return push, err
}

// selfSigned makes a certificate that nobody has to trust.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

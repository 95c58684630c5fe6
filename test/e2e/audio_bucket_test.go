package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/registries"
)

// TestRecordingsInABucket: a node that keeps recordings in a bucket has them after kill -9, whole and in parts, for
// members and for whoever has a signed address, and none of them in a folder.
func TestRecordingsInABucket(t *testing.T) {
	t.Parallel()
	store := registries.StartObjects(t)
	store.MakeBucket("chat")
	n := Start(t, fmt.Sprintf(`data: {blobs: {store: s3, s3: {endpoint: "http://%s", bucket: chat, prefix: node/, access_key: %s, secret_key: %s}}}`,
		store.Addr, registries.ObjectsAccessKey, registries.ObjectsSecretKey))
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	data := recording(11<<20 + 17) // in three parts
	up, err := uploadAudio(t, im, of("alice", data), data)
	if err != nil {
		t.Fatal(err)
	}
	n.Kill()
	n.Boot()
	if status, body := fetchAudio(t, up.GetAudioUrl(), "bob"); status != http.StatusOK || !bytes.Equal(body, data) {
		t.Errorf("status %d, %d bytes of %d", status, len(body), len(data))
	}
	signed, err := n.Calls().GetAudioURL(within(t), &imv1.GetAudioURLRequest{UserId: "bob", AudioId: up.GetAudioId()})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := fetchAudio(t, signed.GetUrl(), "", "Range", "bytes=7000000-7999999"); status != http.StatusPartialContent || !bytes.Equal(body, data[7000000:8000000]) {
		t.Errorf("a range, signed: status %d, %d bytes", status, len(body))
	}
	if status, body := fetchAudio(t, signed.GetUrl()+"0", ""); status != http.StatusForbidden || !strings.Contains(string(body), "AUDIO_URL_INVALID") {
		t.Errorf("changed: status %d, %s", status, body)
	}
}

// TestSignedURLsOverGatewaySessions: a gateway session is given an address that works without it, and is
// refused as the call refuses.
func TestSignedURLsOverGatewaySessions(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, "", "-quic", quic)
	im := n.Calls()
	join(t, im, "room", "alice")
	data := recording(1000)
	up, err := uploadAudio(t, im, of("alice", data), data)
	if err != nil {
		t.Fatal(err)
	}
	g := enter(t, n, quic, "alice", "WebSocket JSON")
	var signed imv1.GetAudioURLResponse
	if err := g.asked(within(t), "im.audio_url", &imv1.GetAudioURLRequest{AudioId: up.GetAudioId()}, &signed); err != nil {
		t.Fatal(err)
	}
	if status, body := fetchAudio(t, signed.GetUrl(), ""); status != http.StatusOK || !bytes.Equal(body, data) {
		t.Errorf("status %d, %d bytes", status, len(body))
	}
	request := &imv1.GetAudioURLRequest{AudioId: "nothing"}
	_, call := im.GetAudioURL(with(t, "user-id", "alice"), request)
	var refused refusal
	if err := g.ask(within(t), "im.audio_url", request); !errors.As(err, &refused) || refused.GetErrorCode() != 404 || refused.GetDetail() != reasonOf(call) {
		t.Errorf("refused with %v; the call with %v", err, call)
	}
}

package socket

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Client is a client's end of a connection.
type Client struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Closed is the end that the node has told of.
type Closed plugin.Disconnect

func (c Closed) Error() string { return fmt.Sprintf("closed with %d: %s", c.Code, c.Reason) }

// NewClient says hello on a connection to the node.
func NewClient(conn net.Conn, h Hello) (*Client, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	_, err = conn.Write(append(line, '\n'))
	return Listen(conn), err
}

// Listen is NewClient for whoever has said hello, or never does.
func Listen(conn net.Conn) *Client { return &Client{conn: conn, reader: bufio.NewReader(conn)} }

// Send writes a frame.
func (c *Client) Send(frame []byte) error {
	_, err := c.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

// Recv returns the next frame. Its error is a Closed when the node has said why.
func (c *Client) Recv() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return nil, err
	}
	if length := binary.BigEndian.Uint32(head[:]); length != last {
		frame := make([]byte, length)
		_, err := io.ReadFull(c.reader, frame)
		return frame, err
	}
	var g Goodbye
	if err := json.NewDecoder(c.reader).Decode(&g); err != nil {
		return nil, err
	}
	return nil, Closed{Code: g.Code, Reason: g.Reason, RetryAfter: time.Duration(g.RetryAfter) * time.Millisecond}
}

// Finish ends the session. What is on its way can still be received.
func (c *Client) Finish() error {
	_, err := c.conn.Write(binary.BigEndian.AppendUint32(nil, last))
	return err
}

// Close closes the connection; the session waits for its client.
func (c *Client) Close() error { return c.conn.Close() }

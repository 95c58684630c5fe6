package client

import (
	"context"
	"slices"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// taskOverhead is roughly what a waiting message takes beside its content.
const taskOverhead = 512

// read takes in everything the stream brings and returns why it ended.
func (c *Client) read(cn *connection) error {
	for {
		frame, err := cn.stream.Recv()
		if err != nil {
			return streamError(cn.ctx, cn.stream.Trailer(), err)
		}
		cn.frames.Add(1)
		if err := c.open(cn, frame); err != nil {
			cn.fail(err)
			return err
		}
	}
}

// open takes in one frame, or each item of an envelope.
func (c *Client) open(cn *connection, frame *imv1.MessageResponse) error {
	link := frame.GetLinkSeq()
	if len(frame.GetBatch()) == 0 {
		return c.take(cn, frame, link)
	}
	for i, item := range frame.GetBatch() {
		itemLink := item.GetLinkSeq()
		if link > 0 {
			itemLink = link + uint64(i)
		}
		if err := c.take(cn, item, itemLink); err != nil {
			return err
		}
	}
	return nil
}

// take sorts one message in. Answers to sends are given at once, since a callback may be waiting
// for one; all else goes through the queue, so that acknowledgements keep the order.
func (c *Client) take(cn *connection, msg *imv1.MessageResponse, link uint64) error {
	switch c.session.arrive(link) {
	case repeated: // it is in the queue
		c.stats.duplicates.Add(1)
		return nil
	case missing:
		return errGap
	}
	switch msg.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		c.settle(msg)
	case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		if sent := cn.beatSent.Swap(0); sent != 0 {
			c.stats.rtt.Store(int64(time.Since(epoch)) - sent)
		}
	case imv1.MessageType_MESSAGE_TYPE_EPHEMERAL:
		c.enqueue(cn, msg, link, c.toldEphemeral)
		return nil
	case imv1.MessageType_MESSAGE_TYPE_PRESENCE:
		c.enqueue(cn, msg, link, c.toldPresence)
		return nil
	default:
		if c.cfg.OnMessage != nil {
			c.enqueue(cn, msg, link, c.deliver)
			return nil
		}
		c.stats.delivered(len(msg.GetContent()))
	}
	if link > 0 {
		c.queue.push(task{run: func() { c.handled(cn, link) }, message: true})
	}
	return nil
}

// enqueue has the program get msg when its turn has come.
func (c *Client) enqueue(cn *connection, msg *imv1.MessageResponse, link uint64, hand func(*imv1.MessageResponse)) {
	cn.waiting.Store(true)
	c.queue.waitRoom(cn.ctx, c.mustRead)
	cn.waiting.Store(false)
	if !c.alive() {
		return // Disconnect was called; it comes again
	}
	c.queue.push(task{
		run: func() {
			hand(msg)
			c.handled(cn, link)
		},
		callback: true,
		message:  true,
		bytes:    len(msg.GetContent()) + taskOverhead,
	})
}

// deliver hands a message to the program, unless it has had it or does not want it.
func (c *Client) deliver(msg *imv1.MessageResponse) {
	if !c.seen.advance(msg) {
		c.stats.duplicates.Add(1)
		return
	}
	if !c.accepts(msg) {
		return
	}
	c.stats.delivered(len(msg.GetContent()))
	c.cfg.OnMessage(msg)
}

// accepts asks the program whether msg is valid. One that is not is counted and reported.
func (c *Client) accepts(msg *imv1.MessageResponse) bool {
	if c.cfg.Validate == nil {
		return true
	}
	err := c.cfg.Validate(msg)
	if err == nil {
		return true
	}
	c.stats.invalid.Add(1)
	c.reportError(&InvalidMessageError{Message: msg, Err: err})
	return false
}

// accepted returns those that the program accepts.
func (c *Client) accepted(messages []*imv1.MessageResponse) []*imv1.MessageResponse {
	return slices.DeleteFunc(messages, func(msg *imv1.MessageResponse) bool { return !c.accepts(msg) })
}

// mustRead tells whether reading must go on although OnMessage is far behind: the stream may
// hold the answer to a send that OnMessage itself is waiting for, or its own end.
func (c *Client) mustRead() bool { return c.sends.any() || !c.alive() }

// settle gives a send its answer. A refusal that nobody waits for is reported, not lost.
func (c *Client) settle(msg *imv1.MessageResponse) {
	var content imv1.AckContent
	if err := proto.Unmarshal(msg.GetContent(), &content); err != nil {
		c.cfg.Logger.Warn("unreadable answer to a send", "error", err)
		return
	}
	var err error
	if !content.GetSuccess() {
		err = &RefusedError{
			Reason:    msg.GetMetadata()[keyReason],
			Message:   content.GetErrorMessage(),
			RoomID:    msg.GetRoomId(),
			MessageID: content.GetOriginalMessageId(),
		}
	}
	id := content.GetOriginalMessageId()
	switch out := c.sends.settle(id, resultOf(msg, id), err); {
	case out != nil:
		c.stats.settled(len(out.req.GetContent()), err)
	case err != nil:
		c.stats.settled(0, err)
		c.reportError(err)
	}
}

func (c *Client) handled(cn *connection, link uint64) {
	switch unacked := c.session.handle(cn.session, link); {
	case unacked == 0:
	case unacked >= ackEvery:
		c.flushAck(context.Background(), c.current())
	case unacked == 1:
		c.ackSoon()
	}
}

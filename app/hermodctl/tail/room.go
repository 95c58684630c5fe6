package tail

import (
	"context"
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Room is the tail of a room.
type Room struct {
	view
	cfg    Config
	caller *Caller
	room   string
	cursor int64 // up to here it was shown
	until  int64 // with UntilHead the last message to show
}

// NewRoom returns the tail of a room.
func NewRoom(room string, cfg Config, caller *Caller, screen Screen, note Notes) *Room {
	return &Room{view: newView(cfg, screen, note), cfg: cfg, caller: caller, room: room}
}

// Run shows what there is and what comes, until ctx ends, which is no error, or as far as the Config says.
func (r *Room) Run(ctx context.Context) error {
	err := r.begin(ctx)
	for p := (pace{}); err == nil && !r.over(); {
		var page *imv1.HistoryResponse
		p.look()
		if page, err = r.next(ctx); err == nil && !page.GetMore() && !r.over() {
			if err = r.screen.Flush(); err == nil {
				err = p.wait(ctx, len(page.GetMessages()) > 0)
			}
		}
	}
	return r.end(ctx, err)
}

func (r *Room) over() bool { return r.cfg.UntilHead && r.cursor >= r.until }

// begin finds out where to begin.
func (r *Room) begin(ctx context.Context) error {
	page, err := r.caller.history(ctx, &imv1.HistoryRequest{UserId: r.cfg.User, RoomId: r.room, Limit: 1})
	if err != nil {
		return err
	}
	r.until = page.GetHeadSeq()
	if r.cfg.After < 0 {
		r.cursor = max(page.GetFloorSeq(), page.GetHeadSeq()-int64(r.cfg.Last))
		return nil
	}
	r.cursor = r.cfg.After
	return behindHead(r.room, r.cursor, r.until)
}

// behindHead refuses to begin behind a message that does not exist.
func behindHead(room string, after, head int64) error {
	if after <= head {
		return nil
	}
	return fmt.Errorf("the last message of room %s is %d; there is nothing behind %d", room, head, after)
}

// next shows the next page.
func (r *Room) next(ctx context.Context) (*imv1.HistoryResponse, error) {
	page, err := r.caller.history(ctx, &imv1.HistoryRequest{UserId: r.cfg.User, RoomId: r.room, AfterSeq: &r.cursor, Limit: historyPage})
	if err != nil {
		return nil, err
	}
	r.back(r.room, &r.cursor, page.GetHeadSeq())
	for _, m := range page.GetMessages() {
		if r.over() {
			return page, nil
		}
		if err := r.show(m, &r.cursor); err != nil {
			return nil, err
		}
	}
	if len(page.GetMessages()) == 0 {
		r.gone(r.room, &r.cursor, page.GetFloorSeq())
	}
	return page, nil
}

package protocol

import "github.com/game-im/hermod/internal/biz"

// LooksAway reads what a client says of its user with a heartbeat: `away`, `online`, or nothing, which is no error.
func LooksAway(presence string) (away bool, err *biz.Error) {
	switch presence {
	case "", "online":
		return false, nil
	case "away":
		return true, nil
	}
	return false, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "presence %.64q is unknown; online and away are allowed", presence)
}

package hermod

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/webhook"
)

// newWebhooks returns what delivers the webhooks of the configuration.
func newWebhooks(c *conf.Config, n *node.Node, w *data.Webhooks, messages *data.MessageLog, m *webhook.Metrics, log *slog.Logger) (*webhook.Team, error) {
	var all []webhook.Options
	for i, configured := range c.GetWebhooks() {
		o, err := webhookOptions(configured.WithDefaults(), i)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	owner := n.ID()
	if owner == "" {
		owner = rand.Text()[:bootIDLength]
	}
	return webhook.NewTeam(all, webhook.Stores{Queue: w, Graveyard: w, Log: messages, Encode: webhookMessage}, owner, m, log), nil
}

func webhookOptions(w *conf.Webhook, place int) (webhook.Options, error) {
	secured, err := w.TLSConfig(place)
	return webhook.Options{
		Name: w.GetName(), URL: w.GetUrl(), Secrets: w.SecretList(), TLS: secured,
		Room: roomsNamed(w.GetRooms()), Wants: messagesOf(w.GetTypes()),
		Deadline: w.GetDeadline().AsDuration(), Attempts: int(w.GetAttempts()),
		Backoff: w.GetBackoff().AsDuration(), MaxBackoff: w.GetMaxBackoff().AsDuration(), MaxAge: w.GetMaxAge().AsDuration(),
		Concurrency: int(w.GetConcurrency()), Batch: int(w.GetBatch()), KeepDead: w.GetKeepDead().AsDuration(),
	}, err
}

// roomsNamed knows rooms by their names, or by the beginning of names that end with a *; without any, all.
func roomsNamed(names []string) func(biz.RoomID) bool {
	exact, prefixes := map[biz.RoomID]bool{}, []string(nil)
	for _, name := range names {
		if prefix, open := strings.CutSuffix(name, "*"); open {
			prefixes = append(prefixes, prefix)
		} else {
			exact[biz.RoomID(name)] = true
		}
	}
	return func(room biz.RoomID) bool {
		if len(names) == 0 || exact[room] {
			return true
		}
		for _, prefix := range prefixes {
			if strings.HasPrefix(string(room), prefix) {
				return true
			}
		}
		return false
	}
}

// messagesOf knows messages by the names of their types; without any, all.
func messagesOf(types []string) func(*biz.Message) bool {
	named := map[string]biz.MessageType{"text": biz.TypeText, "audio": biz.TypeAudio, "rich_text": biz.TypeRichText, "system": biz.TypeSystem}
	wanted := map[biz.MessageType]bool{}
	for _, name := range types {
		wanted[named[name]] = true
	}
	return func(m *biz.Message) bool { return len(wanted) == 0 || wanted[m.Type] }
}

// webhookMessage writes a message as clients get it in JSON.
func webhookMessage(m *biz.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(imcall.Message(m))
	if err != nil {
		return nil, err
	}
	return compact(text)
}

// compact takes out the blanks that protojson puts in at random, so that the same message is the same text.
func compact(text []byte) ([]byte, error) {
	return json.Marshal(json.RawMessage(text))
}

// spreadStored has webhooks hear of what is stored, here and on other nodes. It is called before the node runs. Without
// webhooks nothing is told to anybody.
func spreadStored(n *node.Node, db *data.DB, team *webhook.Team) {
	if team.Empty() {
		return
	}
	db.OnStored(team.Stored)
	if n.ID() == "" {
		return
	}
	n.Handle(node.KindStored, func(r broker.Request) {
		var rooms []biz.RoomID
		if json.Unmarshal(r.Body, &rooms) != nil {
			return
		}
		for _, room := range rooms {
			team.Heard(room)
		}
	})
	team.TellOthers(func(rooms []biz.RoomID) {
		if body, err := json.Marshal(rooms); err == nil && !n.Alone() { // they are texts
			_ = n.Tell(broker.EveryNode, node.KindStored, body) // who does not hear of it finds it by himself
		}
	})
}

// newWebhookDesk is what operators have webhooks do. What concerns another node finds it at the next sweep.
func newWebhookDesk(book biz.WebhookBook, team *webhook.Team) *biz.Webhooks {
	return biz.NewWebhooks(book, team.Kick)
}

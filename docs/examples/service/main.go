// Command service is a business service that counts the points of players.
package main

import (
	"context"
	"log"
	"sync"
	"time"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/transport/grpc"

	"github.com/game-im/hermod/sdk/upstream"
)

// game is the service.
type game struct {
	gateway *upstream.UnicastClient // to push through

	mu     sync.Mutex
	points map[string]int // by openid
}

// hello lets everybody in. The gateway has established who it is.
func (g *game) hello(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	return upstream.LoggedIn("welcome, "+r.OpenID, 0, ""), nil
}

// score is what a client sends and gets, as JSON.
type score struct {
	Points int `json:"points"`
}

// add adds to a player's points. At a hundred he is told of his prize, right behind the answer.
func (g *game) add(ctx context.Context, r *upstream.Request, more score) (score, error) {
	if more.Points < 1 || more.Points > 50 {
		return score{}, upstream.Errorf(upstream.CodeBadRequest, "points are %d; 1 to 50 are allowed", more.Points)
	}
	g.mu.Lock()
	before := g.points[r.OpenID]
	g.points[r.OpenID] = before + more.Points
	g.mu.Unlock()
	if before < 100 && before+more.Points >= 100 {
		prize := upstream.Notification{MsgType: "prize", Title: "A hundred points"}
		if _, err := g.gateway.Push(ctx, r.Caller(), prize, upstream.After(r)); err != nil {
			log.Print(err) // the points count all the same
		}
	}
	return score{before + more.Points}, nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	const gateway = "127.0.0.1:8082"
	g := &game{gateway: upstream.NewUnicastClient(gateway), points: map[string]int{}}
	if err := g.gateway.Connect(); err != nil {
		return err
	}
	mux := &upstream.Mux{}
	mux.Handle("hello", g.hello)
	mux.Handle("score.add", upstream.JSON(g.add))

	server := grpc.NewServer(grpc.Address("127.0.0.1:9000"), grpc.Timeout(time.Minute))
	mux.Register(server)
	registrar, err := upstream.NewRegistrar(upstream.At(gateway), upstream.Registration{Address: "127.0.0.1:9000", Name: "game"})
	if err != nil {
		return err
	}
	app := kratos.New(kratos.Name("game"), kratos.Server(server),
		kratos.AfterStart(registrar.Start), kratos.BeforeStop(registrar.Stop))
	log.Print("the game is on; Ctrl+C ends it")
	return app.Run()
}

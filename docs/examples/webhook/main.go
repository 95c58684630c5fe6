// This program takes webhooks: it writes a line for each message that it has not had before, and forgets none that it
// has said yes to.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/game-im/hermod/sdk/webhook"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "where to listen")
	name := flag.String("file", "messages.txt", "where messages are written to")
	flag.Parse()
	b, err := open(*name, os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: *addr, Handler: b, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// book is a file of messages.
type book struct {
	secret string

	mu   sync.Mutex
	file *os.File
	last map[string]int64 // by room: the last seq that is in the file
}

// open reads what is in the file already: that is how a message is known that comes again.
func open(name, secret string) (*book, error) {
	if err := webhook.CheckSecret(secret); err != nil {
		return nil, fmt.Errorf("WEBHOOK_SECRET %w", err)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	b := &book{secret: secret, file: file, last: map[string]int64{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var room string
		var seq int64
		if _, err := fmt.Sscanf(lines.Text(), "%q %d", &room, &seq); err == nil {
			b.last[room] = max(b.last[room], seq)
		}
	}
	return b, lines.Err()
}

// ServeHTTP takes a delivery. It says yes once all of it is on the disk.
func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := webhook.Verify(r, []string{b.secret}, 0)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	delivery, err := webhook.Parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := b.write(delivery); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable) // it will come again
	}
}

func (b *book) write(d webhook.Delivery) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range d.Messages {
		if m.GetSeq() <= b.last[m.GetRoomId()] {
			continue
		}
		_, err := fmt.Fprintf(b.file, "%q %d %s by %q: %q\n", m.GetRoomId(), m.GetSeq(), m.GetType(), m.GetFromUserId(), m.GetContent())
		if err != nil {
			return err
		}
		b.last[m.GetRoomId()] = m.GetSeq()
	}
	return b.file.Sync()
}

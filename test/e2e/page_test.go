package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pageScript is an evening of two pages. It says on its output how far it is, and waits on its input
// for what only the test can do.
const pageScript = `
import { createInterface } from "node:readline"
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const pause = async what => { console.log(what); await lines.next() }
const heard = { alice: [], bob: [] }
const news = []
const until = async ok => { while (!ok()) await new Promise(done => news.push(done)) }
const enter = user => new Chat(process.argv[2], user, "", m => {
  if (m.type === "MESSAGE_TYPE_TEXT") heard[user].push(m.seq + " " + m.fromUserId + ": " + m.text)
  news.splice(0).forEach(done => done())
})
const alice = enter("alice"), bob = enter("bob")
await alice.join("lobby")
await bob.join("lobby")
await alice.say("lobby", "Grüße, 世界")
await until(() => heard.bob.length === 1)
bob.ws.close() // the network is gone
await alice.say("lobby", "are you there?")
const late = bob.say("lobby", "now I am")
await until(() => heard.bob.length === 2)
await late
await until(() => heard.alice.length === 1)
await pause("kill")
await Promise.all([alice.say("lobby", "after the crash"), bob.say("lobby", "here too")])
await until(() => heard.bob.length === 3 && heard.alice.length === 2)
try { await alice.ask("im.room", { roomId: "elsewhere" }) } catch (e) { heard.refused = e.message }
await pause(JSON.stringify(heard))
process.exit(0)
`

// TestThePageOfTheDocument runs the example of docs/protocol-gateway.md, word for word, in a program
// that has what browsers have: it chats, loses its connection, and lives through the node's death.
func TestThePageOfTheDocument(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("node", "--experimental-websocket", "-e", "new WebSocket('ws://127.0.0.1:1').onerror = () => {}").CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "" {
			t.Fatalf("on CI the page is tested, which needs Node.js: %v", err)
		}
		t.Skipf("needs Node.js 20.10 or newer, which Debian has as nodejs from 13 on: %v %s", err, out)
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol-gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(document), "```js\n")
	example, _, ended := strings.Cut(example, "```\n")
	if !found || !ended || !strings.Contains(example, "class Chat") {
		t.Fatal("the document has no example")
	}
	script := filepath.Join(t.TempDir(), "page.mjs")
	if err := os.WriteFile(script, []byte(example+pageScript), 0o600); err != nil {
		t.Fatal(err)
	}
	n := Start(t, "")
	page := exec.CommandContext(within(t), "node", "--experimental-websocket", script, "ws://"+n.HTTP+"/ws")
	page.Stderr = os.Stderr
	in, err := page.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := page.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	goOn := func() {
		if _, err := io.WriteString(in, "go on\n"); err != nil {
			t.Error(err)
		}
	}
	if !said.Scan() || said.Text() != "kill" {
		t.Fatalf("the page says %q, %v", said.Text(), page.Wait())
	}
	n.Kill()
	goOn()
	n.Boot()
	said.Scan()
	got := said.Text()
	goOn()
	if err := page.Wait(); err != nil {
		t.Errorf("the page: %v", err)
	}
	// Which of the last two came first is free.
	const want = `{"alice":["3 bob: now I am","%d bob: here too"],"bob":["1 alice: Grüße, 世界","2 alice: are you there?","%d alice: after the crash"],"refused":"room \"elsewhere\" does not exist"}`
	if got != fmt.Sprintf(want, 4, 5) && got != fmt.Sprintf(want, 5, 4) {
		t.Errorf("the pages have heard %s", got)
	}
}

package remote

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/credentials/insecure"
)

const (
	// What a process is told; sdk/pluginserver reads it.
	envListen     = "HERMOD_PLUGIN_LISTEN"
	envSupervised = "HERMOD_PLUGIN_SUPERVISED"
	// graceful is how long a process may take to end when it is told to.
	graceful = 3 * time.Second
	// watchEvery is how often the memory of a process is looked at.
	watchEvery = 100 * time.Millisecond
)

// inherited are the variables that a process has from the node: its others are none of a plugin's business.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ"}

// program is a home that runs a program for each life.
type program struct {
	command []string
	dir     string
	env     []string // NAME=value
	memory  int64    // bytes resident
	log     *slog.Logger
	meters  *meters
}

func (*program) patient() bool { return false }

// process is a program that runs, with all that it starts.
type process struct {
	of    *program
	cmd   *exec.Cmd
	stdin io.Closer // its end tells the process that the node is gone
	out   *output
	over  chan struct{} // closed when it has ended

	mu    sync.Mutex
	gone  bool   // its id may be somebody else's
	asked bool   // to end
	why   string // the node has killed it
	ended string // how; set before over is closed
}

// open implements home. The process listens in a folder that nobody else may look into.
func (p *program) open(context.Context) (*residence, error) {
	dir, err := os.MkdirTemp("", "hermod-plugin-")
	if err != nil {
		return nil, fmt.Errorf("a folder for its socket: %w", err)
	}
	socket := filepath.Join(dir, "s")
	if len(socket) > 100 { // the least that a socket's path may have anywhere is 104 bytes with the NUL
		_ = os.Remove(dir) // the error that is returned matters more
		return nil, fmt.Errorf("the path of its socket, %s, is too long; set TMPDIR to a folder with a shorter one", socket)
	}
	run := &process{of: p, out: newOutput(p.log), over: make(chan struct{})}
	if err := run.start(socket); err != nil {
		_ = os.RemoveAll(dir) // the error that is returned matters more
		return nil, err
	}
	return &residence{
		target: "unix:" + socket, creds: insecure.NewCredentials(), over: run.over, begins: true,
		close: func() string {
			told := run.end()
			if err := os.RemoveAll(dir); err != nil {
				p.log.Warn("the folder of a plugin's socket stays", "error", err)
			}
			return told
		},
	}, nil
}

// start returns once the process runs, or cannot.
func (r *process) start(socket string) error {
	if dir := r.of.dir; dir != "" {
		if _, err := os.ReadDir(dir); err != nil { // else the error would be of the program
			return fmt.Errorf("process.dir: %w", err)
		}
	}
	cmd := exec.Command(r.of.command[0], r.of.command[1:]...) //nolint:gosec,noctx // the configuration says what to run; it ends by end
	cmd.Dir, cmd.Env = r.of.dir, append(environment(), r.of.env...)
	cmd.Env = append(cmd.Env, envListen+"=unix:"+socket, envSupervised+"=1")
	cmd.Stdout, cmd.Stderr = r.out, r.out
	cmd.WaitDelay = time.Second // for what a child of its holds open
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	r.cmd, r.stdin = cmd, stdin
	confine(cmd)
	started := make(chan error)
	go r.run(started)
	return <-started
}

func environment() (env []string) {
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// run owns the process. It keeps its thread for as long: on Linux the process ends with the thread that has
// started it, and that is to be the end of the node.
func (r *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := r.cmd.Start(); err != nil {
		started <- err
		return
	}
	limit(r.cmd.Process.Pid, r.of.memory)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.watch()
	}()
	started <- nil
	awaitEnd(r.cmd)
	r.signal(killGroup) // what it has started and left
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
	_ = r.cmd.Wait() // how it ended is told
	r.mu.Lock()
	r.ended = r.cmd.ProcessState.String()
	r.mu.Unlock()
	close(r.over)
	<-watching
	r.of.meters.resident(0)
}

// signal does something to the process and its children, unless it is gone.
func (r *process) signal(how func(pid int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gone {
		how(r.cmd.Process.Pid)
	}
}

// watch ends the process when it has more memory than it may.
func (r *process) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.over:
			return
		case <-tick.C:
		}
		has := resident(r.cmd.Process.Pid)
		r.of.meters.resident(has)
		if has > r.of.memory {
			r.mu.Lock()
			r.why = fmt.Sprintf("it had %d MiB of memory, and may have %d", has>>20, r.of.memory>>20)
			r.mu.Unlock()
			r.signal(killGroup)
			return
		}
	}
}

// end has the process end, by force if it does not, and returns what is to be known of its end.
func (r *process) end() string {
	r.mu.Lock()
	r.asked = r.ended == ""
	r.mu.Unlock()
	_ = r.stdin.Close() // a process that is gone has closed it
	r.signal(terminateGroup)
	select {
	case <-r.over:
	case <-time.After(graceful):
		r.of.log.Warn("the process of a plugin does not end and is killed", "after", graceful)
		r.signal(killGroup)
		<-r.over
	}
	return r.told()
}

func (r *process) told() (told string) {
	last := r.out.finish()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.why != "":
		told = "; " + r.why
	case !r.asked || r.ended != "exit status 0" && r.ended != "signal: terminated":
		told = "; " + r.ended // that it was asked to end need not be why it has
	}
	if last != "" {
		told += "; the last that it wrote: " + last
	}
	return told
}

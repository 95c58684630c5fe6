package archtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goBlock is a block of Go in a document, with the file that it claims to be, if any.
var goBlock = regexp.MustCompile("(?s)(?:<!-- file: (\\S+) -->\n)?```go\n(.*?)```\n")

// blockImports are the packages that blocks use without importing them, by name.
var blockImports = map[string]string{
	"client":       "github.com/game-im/hermod/sdk/client",
	"codes":        "google.golang.org/grpc/codes",
	"context":      "context",
	"discovery":    "github.com/game-im/hermod/sdk/discovery",
	"errors":       "errors",
	"fmt":          "fmt",
	"gatewayv1":    "github.com/game-im/hermod/api/gateway/v1",
	"grpc":         "google.golang.org/grpc",
	"grpcresolver": "github.com/game-im/hermod/sdk/discovery/grpcresolver",
	"imv1":         "github.com/game-im/hermod/api/im/v1",
	"insecure":     "google.golang.org/grpc/credentials/insecure",
	"kratos":       "github.com/go-kratos/kratos/v2",
	"log":          "log",
	"gorm":         "gorm.io/gorm",
	"metadata":     "google.golang.org/grpc/metadata",
	"outbox":       "github.com/game-im/hermod/sdk/outbox",
	"slog":         "log/slog",
	"status":       "google.golang.org/grpc/status",
	"time":         "time",
	"tls":          "crypto/tls",
	"upstream":     "github.com/game-im/hermod/sdk/upstream",
}

// blockFrame is the function that a block becomes the body of.
const blockFrame = `func block%d(ctx context.Context, c *client.Client, config *client.Config, services []*discovery.ServiceInfo,
	nodes discovery.ServiceDiscovery, userID string, lines []string, freshToken func(context.Context) (string, error)) error {
	{ // whose own names hide those above
%s	}
	return nil
}
`

// Blocks of Go in documents compile, as what a reader makes of them: whole files are files of the
// repository, and the others are bodies of functions.
func TestDocumentBlocks(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	dir := t.TempDir()
	for i, document := range documents(t, root) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		var bodies []string
		for _, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
			if file := block[1]; file != "" {
				sameAsFile(t, document, filepath.Join(root, file), block[2])
				continue
			}
			bodies = append(bodies, fmt.Sprintf(blockFrame, len(bodies), block[2]))
		}
		if len(bodies) == 0 {
			continue
		}
		written := filepath.Join(dir, fmt.Sprint(i, ".go"))
		if err := os.WriteFile(written, []byte(blockFile(bodies)), 0o600); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(document), ".md")
		overlay[filepath.Join(root, "docs", "blocks", strings.ReplaceAll(name, ".", "_"), "blocks.go")] = written
	}
	if len(overlay) < 2 {
		t.Fatal("found hardly any blocks: the search is broken")
	}
	compile(t, root, overlay)
}

func sameAsFile(t *testing.T, document, file, block string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	} else if string(text) != block {
		t.Errorf("%s shows %s as it is not", document, file)
	}
}

func blockFile(bodies []string) string {
	code := strings.Join(bodies, "\n")
	var b strings.Builder
	b.WriteString("package blocks\n\n")
	for _, name := range slices.Sorted(maps.Keys(blockImports)) {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(code) {
			fmt.Fprintf(&b, "import %s %q\n", name, blockImports[name])
		}
	}
	return b.String() + "\n" + code
}

// compile has the files of the overlay compiled as if they were in the repository.
func compile(t *testing.T, root string, overlay map[string]string) {
	t.Helper()
	encoded, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-overlay", file}
	for path := range overlay {
		args = append(args, filepath.Dir(path))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("blocks of documents do not compile: %v\n%s", err, out)
	}
}

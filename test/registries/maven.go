package registries

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// EnabledAlibaba is the environment variable without which Alibaba's own Nacos is neither fetched nor
// started: it is 150 MB of Maven's, needs Java 17, and its gRPC and Raft ports listen on every address of
// the machine, which no setting of it changes.
const EnabledAlibaba = "HERMOD_TEST_ALIBABA_NACOS"

// javaBinary is binary for a module that Maven and javac build. What cannot be built is skipped on CI
// too: the same promises are held against the Nacos protocol without it.
func javaBinary(t testing.TB, p program) string {
	t.Helper()
	if os.Getenv(EnabledAlibaba) == "" {
		t.Skipf("needs Alibaba's Nacos: set %s=1, where it may listen on every address", EnabledAlibaba)
	}
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs Alibaba's Nacos, and so %s: %v", tool, err)
		}
	}
	file, err := p.build()
	if err != nil {
		t.Skipf("%s does not build, can Maven reach its repository? %v", p.module, err)
	}
	return file
}

// compileJava makes a program of a pom.xml and one class that is named as pkg says: a shell script beside
// a folder with the class and the jars.
func (p program) compileJava(module, file string) error {
	jars := file + ".jars"
	for _, command := range [][]string{
		{"mvn", "-q", "-B", "-f", filepath.Join(module, "pom.xml"), "dependency:copy-dependencies", "-DoutputDirectory=" + jars},
		{"javac", "-cp", jars + "/*", "-d", jars, filepath.Join(module, p.pkg+".java")},
	} {
		var out bytes.Buffer
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command[0], err, lastLines(out.String()))
		}
	}
	// Two libraries bring the same classes; the server needs those of the one that goes by the name.
	first, err := filepath.Glob(filepath.Join(jars, "hessian-4.*.jar"))
	if err != nil || len(first) != 1 {
		return fmt.Errorf("hessian-4 is there %d times, %w", len(first), err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec java -Xmx512m -cp '%s:%s:%s/*' %s \"$@\"\n", first[0], jars, jars, p.pkg)
	return os.WriteFile(file, []byte(script), 0o755)
}

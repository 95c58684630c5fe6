package registries

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// EnabledAlibaba is the environment variable without which Alibaba's own Nacos is neither fetched nor
	// started: it is 150 MB of Maven's, needs Java 17, and its gRPC and Raft ports listen on every address of
	// the machine, which no setting of it changes.
	EnabledAlibaba = "HERMOD_TEST_ALIBABA_NACOS"
	// EnabledKafka is that of Apache Kafka, which is 46 MB of Maven's and needs Java 17. It listens on the
	// loopback alone.
	EnabledKafka = "HERMOD_TEST_KAFKA"
)

// java is what a program of Java has besides its module, whose class is named as pkg says.
type java struct {
	enabled string // the environment variable without which it is not wanted
	// first are the jars that come before all others, as patterns that each match one: libraries may bring
	// the same classes, and the server needs those of one of them.
	first []string
}

// javaBinary is binary for a module that Maven and javac build. What cannot be built is skipped on CI
// too: the same promises are held without it against what speaks the same protocol.
func javaBinary(t testing.TB, p program) string {
	t.Helper()
	if os.Getenv(p.java.enabled) == "" {
		t.Skipf("needs %s: set %s=1, whose docstring says what that takes", p.module, p.java.enabled)
	}
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, and so %s: %v", p.module, tool, err)
		}
	}
	file, err := p.build()
	if err != nil {
		t.Skipf("%s does not build, can Maven reach its repository? %v", p.module, err)
	}
	return file
}

// compileJava makes a program of a pom.xml and one class: a shell script beside a folder with the class and
// the jars.
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
	var path []string
	for _, pattern := range p.java.first {
		found, err := filepath.Glob(filepath.Join(jars, pattern))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%s is there %d times, %w", pattern, len(found), err)
		}
		path = append(path, found...)
	}
	path = append(path, jars, jars+"/*")
	script := fmt.Sprintf("#!/bin/sh\nexec java -Xmx512m -cp '%s' %s \"$@\"\n", strings.Join(path, ":"), p.pkg)
	return os.WriteFile(file, []byte(script), 0o755)
}

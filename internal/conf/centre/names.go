package centre

import (
	"errors"
	"strings"

	"github.com/game-im/hermod/internal/conf"
)

// EnvSources names sources like the flag -conf does, separated by commas. They come before those of
// the flags, so that the flags win.
const EnvSources = "HERMOD_CONF"

// Split takes a list of sources apart. A comma between the hosts of a centre separates no sources.
func Split(list string) []string {
	var names []string
	for list != "" {
		end := len(list)
		from := 0
		if i := strings.Index(list, "://"); i >= 0 && !strings.Contains(list[:i], ",") {
			if from = i + len("://"); strings.Contains(list[from:], "/") {
				from += strings.Index(list[from:], "/")
			}
		}
		if i := strings.IndexByte(list[from:], ','); i >= 0 {
			end = from + i
		}
		if name := strings.TrimSpace(list[:end]); name != "" {
			names = append(names, name)
		}
		list = strings.TrimPrefix(list[end:], ",")
	}
	return names
}

// Sources returns the source of each name: a path, or the address of a config centre. What is wrong
// with any address is told at once, as conf.Problems. The cleanup closes them.
func Sources(names []string, o Options) (sources []conf.Source, cleanup func(), err error) {
	var problems, wrong conf.Problems
	var opened []Source
	for _, name := range names {
		if !Is(name) {
			sources = append(sources, conf.File(name))
			continue
		}
		s, err := Open(name, o)
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		sources, opened = append(sources, s), append(opened, s)
	}
	cleanup = func() {
		for _, s := range opened {
			_ = s.Close() // nothing was written
		}
	}
	if len(problems) > 0 {
		cleanup()
		return nil, nil, problems
	}
	return sources, cleanup, nil
}

// DataDir is data.dir as far as it is known without any centre. If what is known is not valid by
// itself, it is the default.
func DataDir(names []string, overrides []conf.Override) string {
	var paths []string
	for _, name := range names {
		if !Is(name) {
			paths = append(paths, name)
		}
	}
	for _, known := range [][]string{paths, nil} {
		if c, err := conf.Load(known, overrides...); err == nil {
			return c.GetData().GetDir()
		}
	}
	return "data"
}

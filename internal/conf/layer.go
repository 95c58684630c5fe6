package conf

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// layer is what one source says: the value of each scalar key and list that it gives, by path. The
// paths within a list start at its element.
type layer map[string]value

// value is one scalar as it was written, or one list.
type value struct {
	text    string
	literal bool       // no placeholders in text
	list    []element  // shapeList only
	words   []value    // shapeWords only, each a text
	free    *yaml.Node // shapeFree only, a mapping
	origin  origin
}

// element is one section of a list.
type element struct {
	keys   layer
	origin origin
}

// origin says where a value was written, for people.
type origin struct {
	source    string
	line      int      // 0: the source has no lines worth naming
	variables []string // of the environment, that the value was read from
}

func (o origin) String() string {
	s := o.source
	if o.line > 0 {
		s = fmt.Sprintf("%s line %d", s, o.line)
	}
	if len(o.variables) > 0 {
		s += ", environment " + strings.Join(o.variables, " ")
	}
	return s
}

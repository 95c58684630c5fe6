package e2e

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// wire is a protobuf message that is put together field by field, from numbers of the test's own: what
// it says does not change with the .proto files.
type wire []byte

func (w wire) num(field protowire.Number, v uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.VarintType), v)
}

func (w wire) text(field protowire.Number, s string) wire { return w.data(field, []byte(s)) }

func (w wire) data(field protowire.Number, b []byte) wire {
	return protowire.AppendBytes(protowire.AppendTag(w, field, protowire.BytesType), b)
}

// pair adds an entry of a map<string, string>.
func (w wire) pair(field protowire.Number, key, value string) wire {
	return w.data(field, wire(nil).text(1, key).text(2, value))
}

// fields are those of a message that was read.
type fields struct {
	nums map[protowire.Number]uint64
	data map[protowire.Number][][]byte
}

// parse reads a message that has varints and bytes alone.
func parse(b []byte) (fields, error) {
	f := fields{nums: map[protowire.Number]uint64{}, data: map[protowire.Number][][]byte{}}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return f, protowire.ParseError(n)
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			f.nums[number], n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			f.data[number] = append(f.data[number], v)
		default:
			return f, fmt.Errorf("field %d has wire type %d", number, kind)
		}
		if n < 0 {
			return f, protowire.ParseError(n)
		}
		b = b[n:]
	}
	return f, nil
}

func (f fields) bytes(field protowire.Number) []byte {
	if all := f.data[field]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

func (f fields) text(field protowire.Number) string { return string(f.bytes(field)) }

// pairs returns a map<string, string>.
func (f fields) pairs(field protowire.Number) map[string]string {
	m := map[string]string{}
	for _, entry := range f.data[field] {
		if kv, err := parse(entry); err == nil {
			m[kv.text(1)] = kv.text(2)
		}
	}
	return m
}

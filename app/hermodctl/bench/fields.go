package bench

import "google.golang.org/protobuf/encoding/protowire"

// fieldValue is the value of a field: a number, or bytes.
type fieldValue struct {
	number uint64
	bytes  []byte
}

// fields gives each field of an encoded message to take, in order.
func fields(b []byte, take func(protowire.Number, fieldValue) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var v fieldValue
		switch typ {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := take(num, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

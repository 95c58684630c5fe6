package conf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// parseScalar reads a value in the notation of its key.
func parseScalar(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch shapeOf(fd) {
	case shapeBool:
		return parseBool(text)
	case shapeCount:
		return parseCount(fd, text)
	case shapeSize:
		n, err := parseSize(text)
		return protoreflect.ValueOfInt64(n), err
	case shapeShare:
		return parseShare(text)
	case shapeDuration:
		d, err := parseDuration(text)
		return protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()), err
	}
	if !utf8.ValidString(text) {
		return protoreflect.Value{}, errors.New("is not valid UTF-8")
	}
	return protoreflect.ValueOfString(text), nil
}

func parseBool(text string) (protoreflect.Value, error) {
	if text != "true" && text != "false" {
		return protoreflect.Value{}, fmt.Errorf("%q is neither true nor false", text)
	}
	return protoreflect.ValueOfBool(text == "true"), nil
}

func parseCount(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if errors.Is(err, strconv.ErrRange) {
		return protoreflect.Value{}, fmt.Errorf("%s is too large or too small for a number; allowed is %s", text, limits[string(fd.FullName())])
	}
	if err != nil {
		return protoreflect.Value{}, fmt.Errorf("%q is not a whole number", text)
	}
	return protoreflect.ValueOfInt32(int32(n)), nil
}

// parseShare refuses what no limit can hold, such as NaN.
func parseShare(text string) (protoreflect.Value, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return protoreflect.Value{}, fmt.Errorf("%q is not a share; write it like 0.25", text)
	}
	return protoreflect.ValueOfFloat64(f), nil
}

// formatShare writes a share as people do.
func formatShare(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func parseSize(text string) (int64, error) {
	digits, unit := text, int64(1)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(text, u.name); ok {
			digits, unit = strings.TrimSpace(d), u.bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, fmt.Errorf("%q is not a size; write bytes, or a whole number with KiB, MiB or GiB", text)
	}
	return n * unit, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("%q is a duration without unit; write %ss if seconds are meant", text, text)
	}
	return 0, fmt.Errorf("%q is not a duration; write it like 250ms, 30s, 1m30s or 24h", text)
}

// format writes a number in the notation that people would use for it in a file.
func format(s shape, n int64) string {
	switch s {
	case shapeDuration:
		return formatDuration(time.Duration(n))
	case shapeSize:
		for _, u := range sizeUnits {
			if n != 0 && n%u.bytes == 0 {
				return strconv.FormatInt(n/u.bytes, 10) + u.name
			}
		}
	}
	return strconv.FormatInt(n, 10)
}

// formatDuration leaves out the zeros of 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}

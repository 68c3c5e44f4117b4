package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scalar says whether values of a type are written as one text.
func scalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[KeyHash]():
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return false
	default:
		return true
	}
}

// setScalar sets v, for which scalar holds, to what text says. Errors say what is expected and do not hold the text.
func setScalar(v reflect.Value, text string) error {
	switch v.Type() {
	case reflect.TypeFor[Secret]():
		v.Set(reflect.ValueOf(NewSecret(text)))
		return nil
	case reflect.TypeFor[KeyHash]():
		return set(v, text, parseKeyHash)
	case reflect.TypeFor[time.Duration]():
		return set(v, text, parseDuration)
	case reflect.TypeFor[Bytes]():
		return set(v, text, parseBytes)
	case reflect.TypeFor[slog.Level]():
		return set(v, text, parseLevel)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("write true or false")
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("write a whole number")
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("write a number, 0.85")
		}
		v.SetFloat(f)
	default:
		panic("config: no scalar: " + v.Type().String())
	}
	return nil
}

func set[T any](v reflect.Value, text string, parse func(string) (T, error)) error {
	x, err := parse(text)
	if err == nil {
		v.Set(reflect.ValueOf(x))
	}
	return err
}

var daysAndWeeks = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(.*)$`)

// parseDuration reads Go's form with weeks and days before it, "1w2d12h".
func parseDuration(s string) (time.Duration, error) {
	bad := errors.New(`write a duration, "90s", "5m", "36h" or "7d"`)
	m := daysAndWeeks.FindStringSubmatch(s)
	if s == "" || m == nil {
		return 0, bad
	}
	var total time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
		if m[i+1] != "" {
			n, err := strconv.Atoi(m[i+1])
			if err != nil {
				return 0, bad
			}
			total += time.Duration(n) * unit
		}
		if total < 0 { // more than 292 years
			return 0, bad
		}
	}
	if m[3] != "" {
		d, err := time.ParseDuration(m[3])
		if err != nil || total+d < total && d > 0 {
			return 0, bad
		}
		total += d
	}
	if total < 0 {
		return 0, errors.New("a duration cannot be negative")
	}
	return total, nil
}

// parseBytes reads a number of bytes, alone or with KiB, MiB or GiB.
func parseBytes(s string) (Bytes, error) {
	number, unit := s, int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = strings.TrimSpace(n), u
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errors.New(`write a size, 65536, "512KiB" or "2MiB"`)
	}
	return Bytes(n * unit), nil
}

// String returns the size in the largest unit that divides it.
func (b Bytes) String() string {
	switch {
	case b != 0 && b%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", b>>30)
	case b != 0 && b%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", b>>20)
	case b != 0 && b%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", b>>10)
	}
	return strconv.FormatInt(int64(b), 10)
}

func parseLevel(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(s, l.String()) {
			return l, nil
		}
	}
	return 0, errors.New("write debug, info, warn or error")
}

func parseKeyHash(s string) (h KeyHash, err error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != len(h) {
		return KeyHash{}, errors.New(`write the key's hash, "sha256:" and 64 hex digits, which ` +
			`printf %s "$KEY" | sha256sum prints; the key itself does not belong here`)
	}
	copy(h[:], sum)
	return h, nil
}

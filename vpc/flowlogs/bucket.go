package flowlogs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// CheckBucket says what is wrong with the name of a bucket, or nil: Amazon S3
// User Guide, "General purpose bucket naming rules". A bucket that is a directory
// is held to them as well, so that it can become a real one.
func CheckBucket(name string) error {
	const shortest, longest = 3, 63
	switch {
	case len(name) < shortest || len(name) > longest:
		return fmt.Errorf("a bucket's name has %d to %d characters", shortest, longest)
	case !isLower(name):
		return errors.New("a bucket's name has lower-case letters, digits, dots and hyphens")
	case !isAlphanumeric(name[0]) || !isAlphanumeric(name[len(name)-1]):
		return errors.New("a bucket's name begins and ends with a letter or digit")
	case strings.Contains(name, ".."):
		return errors.New("a bucket's name has no two dots in a row")
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return errors.New("a bucket's name is not an address")
	}
	for _, prefix := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("names of buckets that begin with %s are reserved", prefix)
		}
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, suffix) {
			return fmt.Errorf("names of buckets that end with %s are reserved", suffix)
		}
	}
	return nil
}

func isLower(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

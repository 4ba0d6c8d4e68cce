package vpc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Kinds are what ids begin with, without the hyphen.
const (
	KindVPC           = "vpc"
	KindSubnet        = "subnet"
	KindInterface     = "eni"
	KindInstance      = "i"
	KindGroup         = "sg"
	KindGroupRule     = "sgr"
	KindACL           = "acl"
	KindPrefixList    = "pl"
	KindRouteTable    = "rtb"
	maxIDLength       = 64
	derivedIDHexBytes = 8
)

// DeriveID makes an id in AWS's long form, kind and 17 hexadecimal digits of
// which the first is 0. It depends on the kind and the names only, so that what
// keeps its name keeps its id.
func DeriveID(kind string, names ...string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + strings.Join(names, "\x00")))
	return kind + "-0" + hex.EncodeToString(sum[:derivedIDHexBytes])
}

// CheckID returns what is wrong with an id of a kind, or nil. Any word of
// lower-case letters, digits and inner hyphens will do behind the kind: AWS's
// own are hexadecimal, those of articles (vpc-xxxxxxxx) are not.
func CheckID(kind, id string) error {
	word, ok := strings.CutPrefix(id, kind+"-")
	switch {
	case !ok:
		return fmt.Errorf("%q is not an id of this kind: it begins with %s-", id, kind)
	case len(id) > maxIDLength:
		return fmt.Errorf("%.20q… is longer than %d characters", id, maxIDLength)
	case word == "" || word[0] == '-' || word[len(word)-1] == '-':
		return fmt.Errorf("%q is not an id: letters or digits follow %s-", id, kind)
	}
	for _, c := range word {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%q is not an id: %q is no lower-case letter, digit or hyphen", id, c)
		}
	}
	return nil
}

package question

import (
	"slices"
	"testing"

	"weir/flowlog"
	"weir/policy"
)

// What the SQL and the hints name is in the field table.
func TestHelpfulFieldsExist(t *testing.T) {
	for _, name := range helpful {
		if _, ok := flowlog.FieldByName(name); !ok {
			t.Errorf("there is no field %s", name)
		}
	}
}

// What flow logs leave out by its address, no firewall of Weir's filters either:
// the explanation says so.
func TestUnrecordedAddressesAreExempt(t *testing.T) {
	for _, u := range unrecordedAddresses {
		for _, a := range u.addrs {
			if !slices.ContainsFunc(policy.Exemptions, func(e policy.Exemption) bool { return slices.Contains(e.Addresses, a) }) {
				t.Errorf("%s (%s) is filtered by policy", a, u.words)
			}
		}
	}
}

// Texts from outside stay texts in SQL.
func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"eni-1": "'eni-1'", "": "''", "x' or 1=1 --": "'x'' or 1=1 --'", "''": "''''''", `\'`: `'\'''`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

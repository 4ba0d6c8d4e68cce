package lab

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/policy"
)

var update = flag.Bool("update", false, "write the golden files")

func TestRulesets(t *testing.T) {
	for file, got := range map[string]string{
		"router.nft": routerRuleset(DefaultPrefix),
		"nat.nft":    natRuleset(DefaultPrefix),
	} {
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got, accept with -update):\n%s", file, diff)
		}
	}
}

// Ids and names stand in records and in people's queries.
func TestRulesStay(t *testing.T) {
	want := []Rule{
		{1, "web-ingress", "web", policy.Leaving},
		{2, "app-ingress", "app", policy.Leaving},
		{3, "db-ingress", "db", policy.Leaving},
		{4, "db-egress", "db", policy.Entering},
		{5, "bastion-ingress", "bastion", policy.Leaving},
		{6, "nat-ingress", "nat", policy.Leaving},
	}
	if diff := cmp.Diff(want, Rules()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

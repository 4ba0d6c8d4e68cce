package nft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// seal is the set whose comment says that a table is ours, of which version, and
// in which families that has tables: "weir policy 9f0c0e1d2b3a4c5d in ip ip6".
const seal, ours, in = "seal", "weir policy ", " in "

// families are those in which there can be a table of ours. Before IPv4 and IPv6
// had tables of their own there was one of family inet, sealed without families:
// the next transaction takes it away.
var families = []string{"inet", "ip", "ip6", "bridge"}

// Apply puts the ruleset into force, in one transaction: packets see the former
// rules or these, never none or both. When it fails, the former stay; so they do
// when ctx ends before the kernel has taken it.
func (r *Ruleset) Apply(ctx context.Context) error {
	if err := r.checkHost(); err != nil {
		return err
	}
	found, err := r.look(ctx)
	if err != nil {
		return err
	}
	if err := r.load(ctx, r.script(found.families)); err != nil {
		return r.fail("apply", err, "")
	}
	switch found, err = r.look(ctx); {
	case err != nil:
		return err
	case found.digest != r.Digest():
		return r.fail("apply", fmt.Errorf("they are not there after they were loaded: found %q, want %q", found.digest, r.Digest()),
			"see who else changes nftables' tables: nft monitor")
	}
	return nil
}

// Check has nft and the kernel look at the ruleset without applying it.
func (r *Ruleset) Check(ctx context.Context) error {
	found, err := r.look(ctx)
	if err != nil {
		return err
	}
	if _, err := r.run(ctx, r.script(found.families), "--check", "-f", "-"); err != nil {
		return r.fail("check", err, "")
	}
	return nil
}

// script is the whole transaction, which replaces our tables of these families.
func (r *Ruleset) script(former []string) string {
	var b strings.Builder
	b.WriteString(r.removal(former))
	b.WriteString(r.Text)
	families := []string{"ip", "ip6"}
	if len(r.Bridges) > 0 {
		families = append(families, "bridge")
	}
	words := ours + r.Digest() + in + strings.Join(families, " ")
	for _, family := range families {
		fmt.Fprintf(&b, "table %s %s {\n\tset %s {\n\t\ttype mark\n\t\tcomment \"%s\"\n\t}\n}\n", family, r.Table, seal, words)
	}
	return b.String()
}

// removal takes tables away, also when somebody else was faster.
func (r *Ruleset) removal(families []string) string {
	var b strings.Builder
	for _, family := range families {
		fmt.Fprintf(&b, "add table %s %s\ndelete table %s %s\n", family, r.Table, family, r.Table)
	}
	return b.String()
}

// Remove takes the tables away, if they are ours. That there are none is no error.
func (r *Ruleset) Remove(ctx context.Context) error {
	found, err := r.look(ctx)
	if err != nil || len(found.families) == 0 {
		return err
	}
	if err := r.load(ctx, r.removal(found.families)); err != nil {
		return r.fail("remove", err, "")
	}
	return nil
}

// Applied is the digest of the ruleset that is in force, "" when there is none.
// When somebody has taken a part of it away, a space and words follow. A table of
// the name that is not ours is an error.
func (r *Ruleset) Applied(ctx context.Context) (digest string, err error) {
	found, err := r.look(ctx)
	return found.digest, err
}

// found is what there is of tables with our name.
type found struct {
	families []string
	digest   string // as Applied has it
}

// look asks for the seals alone, by name: nft reads every rule there is to list
// the tables or one table, which takes seconds where there are many.
func (r *Ruleset) look(ctx context.Context) (f found, err error) {
	words := ""
	for _, family := range families {
		sealed, err := r.sealOf(ctx, family)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return found{}, r.fail("look at", err, "")
		case sealed == "":
			there := fmt.Sprintf("table %s %s", family, r.Table)
			return found{}, r.fail("look at", fmt.Errorf("there is a %s that Weir did not make", there),
				"look at it with: nft list "+there+"; give Weir's another name, or remove it")
		}
		f.families = append(f.families, family)
		words = sealed
	}
	digest, of, ok := strings.Cut(words, in)
	if f.digest = digest; ok && of != strings.Join(f.families, " ") {
		f.digest += " in part"
	}
	return f, nil
}

// sealOf is what a table's seal says, without the first words; "" when the table
// has none. The error is fs.ErrNotExist when there is no such table.
func (r *Ruleset) sealOf(ctx context.Context, family string) (words string, err error) {
	var out struct {
		Nftables []struct{ Set *struct{ Comment string } }
	}
	err = r.list(ctx, &out, "set", family, r.Table, seal)
	if errors.Is(err, fs.ErrNotExist) {
		// Is there a table without it? Listing that would read every chain there is.
		_, err = r.run(ctx, "", "--check", "add", "set", family, r.Table, seal, "{ type mark; }")
		return "", err
	}
	for _, o := range out.Nftables {
		if o.Set == nil {
			continue
		}
		if words, ok := strings.CutPrefix(o.Set.Comment, ours); ok {
			return words, nil
		}
	}
	return "", err
}

// fail says where, and what to do next if the error itself knows.
func (r *Ruleset) fail(op string, err error, next string) error {
	if next == "" {
		next = nextOf(err)
	}
	return &Error{op, r.Namespace, err, next}
}

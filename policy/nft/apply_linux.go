package nft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// seal is the set whose comment says that a table is ours, and which version.
const seal, ours = "seal", "weir policy "

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
func (r *Ruleset) script(families []string) string {
	var b strings.Builder
	b.WriteString(r.removal(families))
	b.WriteString(r.Text)
	families = []string{"inet"}
	if len(r.Bridges) > 0 {
		families = append(families, "bridge")
	}
	for _, family := range families {
		fmt.Fprintf(&b, "table %s %s {\n\tset %s {\n\t\ttype mark\n\t\tcomment \"%s%s\"\n\t}\n}\n", family, r.Table, seal, ours, r.Digest())
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
// A table of the name that is not ours is an error.
func (r *Ruleset) Applied(ctx context.Context) (digest string, err error) {
	found, err := r.look(ctx)
	return found.digest, err
}

// found is what there is of tables with our name.
type found struct {
	families []string
	digest   string
}

// look asks for the seals alone, by name: nft reads every rule there is to list
// the tables or one table, which takes seconds where there are many.
func (r *Ruleset) look(ctx context.Context) (f found, err error) {
	for _, family := range []string{"inet", "bridge"} {
		digest, err := r.sealOf(ctx, family)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return found{}, r.fail("look at", err, "")
		case digest == "":
			there := fmt.Sprintf("table %s %s", family, r.Table)
			return found{}, r.fail("look at", fmt.Errorf("there is a %s that Weir did not make", there),
				"look at it with: nft list "+there+"; give Weir's another name, or remove it")
		}
		f.families = append(f.families, family)
		if f.digest == "" {
			f.digest = digest
		}
	}
	return f, nil
}

// sealOf is the digest in a table's seal, "" when the table has none. The error
// is fs.ErrNotExist when there is no such table.
func (r *Ruleset) sealOf(ctx context.Context, family string) (digest string, err error) {
	var out struct {
		Nftables []struct{ Set *struct{ Comment string } }
	}
	err = r.list(ctx, &out, "set", family, r.Table, seal)
	if errors.Is(err, fs.ErrNotExist) {
		return "", r.list(ctx, nil, "table", family, r.Table)
	}
	for _, o := range out.Nftables {
		if o.Set == nil {
			continue
		}
		if digest, ok := strings.CutPrefix(o.Set.Comment, ours); ok {
			return digest, nil
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

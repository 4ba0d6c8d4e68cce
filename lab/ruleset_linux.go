package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"weir/netns"
)

func (l *Lab) applyRulesets(ctx context.Context) error {
	if err := nft(ctx, l.Router(), routerRuleset(l.config.Prefix)); err != nil {
		return err
	}
	return nft(ctx, l.Namespace(natInstance.name), natRuleset(l.config.Prefix))
}

// nft applies a script, all of it or nothing.
func nft(ctx context.Context, ns *netns.Namespace, script string) error {
	path, err := exec.LookPath("nft")
	if err != nil { // a path without the administrator's directories is usual on Debian
		path, err = exec.LookPath("/usr/sbin/nft")
	}
	if err != nil {
		return fmt.Errorf("apply firewall rules: %w: install it with \"apt-get install nftables\"", err)
	}
	cmd := exec.CommandContext(ctx, path, "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if err := ns.Run(cmd); err != nil {
		return fmt.Errorf("apply firewall rules in network namespace %s: %w", ns.Name(), err)
	}
	return nil
}

// Package aws is what the destinations that talk to AWS, or to something that
// speaks its language, have in common: how a client is opened, and what its
// errors mean for a flow log.
//
//	EndpointConfig ─ Open ─▶ aws.Config ─▶ the service's client
//	a client's error ─ Error ─▶ deliver.Error: kind, wait, doubt, hint
//
// Nothing is tried again here: the owner of the flow log does that, with
// back-off, and shows the owner why it waits.
package aws

package traffic

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func question(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	packed, err := (&dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    dnsmessage.Type
		answers int
		code    dnsmessage.RCode
	}{
		{"api.example.com.", dnsmessage.TypeA, 1, dnsmessage.RCodeSuccess},
		{"api.example.com.", dnsmessage.TypeAAAA, 1, dnsmessage.RCodeSuccess},
		{"api.example.com.", dnsmessage.TypeMX, 0, dnsmessage.RCodeSuccess},
		{missing, dnsmessage.TypeA, 0, dnsmessage.RCodeNameError},
	} {
		t.Run(tt.name+tt.kind.String(), func(t *testing.T) {
			packed, err := answer(question(t, tt.name, tt.kind))
			if err != nil {
				t.Fatal(err)
			}
			var got dnsmessage.Message
			if err := got.Unpack(packed); err != nil {
				t.Fatal(err)
			}
			if got.ID != 7 || !got.Response || got.RCode != tt.code || len(got.Answers) != tt.answers {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(question(f, "api.example.com.", dnsmessage.TypeA))
	f.Add(question(f, missing, dnsmessage.TypeAAAA))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		reply, err := answer(message)
		if err != nil {
			return
		}
		var got dnsmessage.Message
		if err := got.Unpack(reply); err != nil {
			t.Errorf("a reply that cannot be read: %v", err)
		}
	})
}

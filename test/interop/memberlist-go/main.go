// Members of a ring on hashicorp/memberlist, the version that MetalLB ships, under the control of a test.
//
//	peer '{"names": ["go-1"], "address": "127.0.0.2", "port": 7946}'
//
// One process hosts one member for each name, at consecutive addresses. It takes commands on stdin and answers on
// stdout, both one JSON object a line; what happens in between, log lines included, is told as it happens. It ends
// with its stdin, so that no test leaves one behind.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// The settings of all members of this process. What is absent is as in memberlist's own preset.
type settings struct {
	Names   []string `json:"names"`
	Address string   `json:"address"`
	Port    int      `json:"port"`
	// Hexadecimal; the first one seals.
	Keys  []string `json:"keys"`
	Label string   `json:"label"`
	Plain bool     `json:"plain"` // no compression
	// Protocol 1 is that of memberlist's first days: encryption version 0, and no ports in what is told.
	Protocol uint8  `json:"protocol"`
	State    string `json:"state"` // user state of every push/pull
}

type command struct {
	Do       string   `json:"do"`
	Of       string   `json:"of"`
	To       []string `json:"to"`
	Text     string   `json:"text"`
	Reliable bool     `json:"reliable"`
	Count    int      `json:"count"`
	Key      string   `json:"key"`
}

type report map[string]any

// By the name of the member. memberlist shows its keyring to nobody.
var keyrings = map[string]*memberlist.Keyring{}

var output = struct {
	sync.Mutex
	encoder *json.Encoder
}{encoder: json.NewEncoder(os.Stdout)}

func tell(what report) {
	output.Lock()
	defer output.Unlock()
	_ = output.encoder.Encode(what)
}

func main() {
	var wanted settings
	if len(os.Args) != 2 {
		stop("usage: peer SETTINGS, as JSON")
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		stop("settings: %v", err)
	}
	address, err := netip.ParseAddr(wanted.Address)
	if err != nil || !address.IsLoopback() {
		stop("address %q is not one of this machine's own", wanted.Address)
	}
	members := map[string]*memberlist.Memberlist{}
	for _, name := range wanted.Names {
		config, err := configure(name, address, wanted)
		if err != nil {
			stop("%s: %v", name, err)
		}
		if members[name], err = memberlist.Create(config); err != nil {
			stop("%s: %v", name, err)
		}
		address = address.Next()
	}
	tell(report{"event": "started"})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var order command
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			stop("command %q: %v", lines.Text(), err)
		}
		member := members[order.Of]
		if member == nil {
			stop("command %q: no member %q", lines.Text(), order.Of)
		}
		tell(obey(member, order))
	}
}

func configure(name string, address netip.Addr, wanted settings) (*memberlist.Config, error) {
	config := memberlist.DefaultLANConfig()
	config.Name = name
	config.BindAddr = address.String()
	config.BindPort = wanted.Port
	config.AdvertisePort = wanted.Port
	config.Label = wanted.Label
	config.EnableCompression = !wanted.Plain
	if wanted.Protocol != 0 {
		config.ProtocolVersion = wanted.Protocol
	}
	config.Events = events{name}
	config.Delegate = delegate{name, []byte(wanted.State)}
	config.LogOutput = logs{name}
	var keys [][]byte
	for _, text := range wanted.Keys {
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) > 0 {
		keyring, err := memberlist.NewKeyring(keys, keys[0])
		if err != nil {
			return nil, err
		}
		config.Keyring = keyring
		keyrings[name] = keyring
	}
	return config, nil
}

func obey(member *memberlist.Memberlist, order command) report {
	answer := report{"event": "answer"}
	switch order.Do {
	case "members":
		list := []report{}
		for _, node := range member.Members() {
			list = append(list, describe(node))
		}
		answer["members"] = list
	case "join":
		joined, err := member.Join(order.To)
		answer["joined"] = joined
		fail(answer, err)
	case "leave":
		fail(answer, member.Leave(2*time.Second))
	case "send":
		fail(answer, send(member, order))
	case "key":
		fail(answer, changeKey(member, order))
	default:
		stop("no command %q", order.Do)
	}
	return answer
}

// Sends a text to a member, a number of times.
func send(member *memberlist.Memberlist, order command) error {
	for _, node := range member.Members() {
		if node.Name != order.To[0] {
			continue
		}
		for range max(1, order.Count) {
			transmit := member.SendBestEffort
			if order.Reliable {
				transmit = member.SendReliable
			}
			if err := transmit(node, []byte(order.Text)); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("no member %q in sight", order.To[0])
}

// Adds, uses or removes a key, as text says.
func changeKey(member *memberlist.Memberlist, order command) error {
	key, err := hex.DecodeString(order.Key)
	if err != nil {
		return err
	}
	keyring := keyrings[member.LocalNode().Name]
	if keyring == nil {
		return fmt.Errorf("started without a key")
	}
	switch order.Text {
	case "add":
		return keyring.AddKey(key)
	case "use":
		return keyring.UseKey(key)
	case "remove":
		return keyring.RemoveKey(key)
	}
	return fmt.Errorf("a key is to be added, used or removed, not %q", order.Text)
}

func fail(answer report, err error) {
	if err != nil {
		answer["error"] = err.Error()
	}
}

func describe(node *memberlist.Node) report {
	return report{"name": node.Name, "address": node.Address(), "meta": string(node.Meta)}
}

type events struct{ name string }

func (e events) NotifyJoin(node *memberlist.Node)   { e.changed("join", node) }
func (e events) NotifyLeave(node *memberlist.Node)  { e.changed("leave", node) }
func (e events) NotifyUpdate(node *memberlist.Node) { e.changed("update", node) }

func (e events) changed(change string, node *memberlist.Node) {
	tell(report{"event": change, "at": e.name, "member": describe(node)})
}

type delegate struct {
	name  string
	state []byte
}

func (d delegate) NodeMeta(int) []byte             { return nil }
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d delegate) LocalState(bool) []byte          { return d.state }

func (d delegate) NotifyMsg(message []byte) {
	tell(report{"event": "message", "at": d.name, "text": string(message)})
}

func (d delegate) MergeRemoteState(state []byte, _ bool) {
	tell(report{"event": "state", "at": d.name, "text": string(state)})
}

type logs struct{ name string }

func (l logs) Write(line []byte) (int, error) {
	tell(report{"event": "log", "at": l.name, "text": string(line)})
	return len(line), nil
}

func stop(format string, details ...any) {
	fmt.Fprintf(os.Stderr, "peer: "+format+"\n", details...)
	os.Exit(2)
}

// Package protocol connects the rules to the realtime core: it turns what the rules decide into
// frames for the sessions concerned, whatever wire format each of them speaks. Its sub-packages
// are those wire formats and the handlers that read them; there are no rules here.
package protocol

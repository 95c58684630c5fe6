// Package plugintest checks that a plugin keeps what the package plugin asks of it. A test of a plugin
// calls the function of each capability that it has:
//
//	func TestConformance(t *testing.T) {
//		plugintest.Plugin(t, func() plugin.Plugin { return mine.New() })
//		plugintest.MessageInterceptor(t, started(t), plugin.Message{…})
//	}
//
// What holds in a whole node is tried in one, by nodetest.
//
// Run with -race they find as well what a plugin keeps or shares that it may not.
package plugintest

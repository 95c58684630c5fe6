package discovery

import (
	"context"
	"testing"
	"testing/synctest"
)

// However many watch a service, it is followed once; when nobody does any more it is not.
func TestFeedsFollowOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var publish func([]*ServiceInfo)
		begun, running := 0, 0
		f := newFeeds(func(ctx context.Context, _ string, p func([]*ServiceInfo)) {
			publish = p
			begun++
			running++
			<-ctx.Done()
			running--
		})
		ctx, cancel := context.WithCancel(t.Context())
		var all []<-chan []*ServiceInfo
		for range 1000 {
			lists, err := f.watch(ctx, "im-service")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, lists)
		}
		synctest.Wait()
		publish([]*ServiceInfo{{ID: "b"}, {ID: "a"}})
		for _, lists := range all {
			if list := <-lists; len(list) != 2 || list[0].ID != "a" {
				t.Fatalf("received %v", list)
			}
		}
		publish([]*ServiceInfo{{ID: "a"}, {ID: "b"}}) // the same
		select {
		case list := <-all[0]:
			t.Errorf("received %v, which is not new", list)
		default:
		}
		late, err := f.watch(t.Context(), "im-service")
		if err != nil {
			t.Fatal(err)
		}
		if list := <-late; len(list) != 2 {
			t.Errorf("who comes later received %v", list)
		}
		cancel()
		synctest.Wait()
		for _, lists := range all {
			if _, open := <-lists; open {
				t.Fatal("a watch has not ended with its context")
			}
		}
		if begun != 1 || running != 1 {
			t.Errorf("begun %d times, %d of them run, want one for who is left", begun, running)
		}
		if !f.close() || f.close() {
			t.Error("close does not tell the first time from the second")
		}
		if _, open := <-late; open || running != 0 {
			t.Errorf("after close: open %v, %d run", open, running)
		}
	})
}

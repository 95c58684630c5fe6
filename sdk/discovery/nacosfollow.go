package discovery

import (
	"context"

	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// follow subscribes, and has the SDK tell of changes from then on.
func (d *NacosDiscovery) follow(ctx context.Context, name string, publish func([]*ServiceInfo)) {
	told := make(chan struct{}, 1)
	subscription := &vo.SubscribeParam{
		ServiceName: name, GroupName: d.group,
		SubscribeCallback: func(instances []model.Instance, err error) {
			if err == nil {
				publish(fromNacos(name, instances))
				select {
				case told <- struct{}{}:
				default:
				}
			}
		},
	}
	var retry patience
	for {
		err := d.subscribe(subscription)
		if err == nil {
			break
		}
		if retry.next == 0 {
			d.opts.log.Warn("discovery: a service cannot be watched just now", "service", name, "error", err)
		}
		if !retry.wait(ctx) {
			return
		}
	}
	defer d.unsubscribe(subscription)
	select {
	case <-told:
	default: // the SDK had the list from before, and tells of changes only
		d.read(name, publish)
	}
	for sleep(ctx, nacosAgain) {
		d.read(name, publish)
	}
}

// read publishes the list that the SDK has.
func (d *NacosDiscovery) read(name string, publish func([]*ServiceInfo)) {
	list, err := d.naming().SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: name, GroupName: d.group})
	if err == nil {
		publish(fromNacos(name, list))
	}
}

func (d *NacosDiscovery) subscribe(s *vo.SubscribeParam) error {
	d.subscribing.Lock()
	defer d.subscribing.Unlock()
	err := d.naming().Subscribe(s)
	if err != nil {
		_ = d.naming().Unsubscribe(s) // or it would be told twice, once it succeeds
	}
	return err
}

func (d *NacosDiscovery) unsubscribe(s *vo.SubscribeParam) {
	d.subscribing.Lock()
	defer d.subscribing.Unlock()
	_ = d.naming().Unsubscribe(s) // without a connection there is nothing to end
}

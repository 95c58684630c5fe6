// Package registries starts the service registries that tests register with and discover from, the object
// store that they keep recordings in, and the Kafka that they export to: real servers, each a process of its
// own that listens on the loopback.
//
//	StartNacos   a server of the Nacos protocol (Polaris with its Nacos listener), module nacosd
//	StartEtcd    one etcd member, module etcdd
//	StartConsul  one Consul server, module consuld
//	StartObjects one S3-compatible object store (Versity's gateway over a folder), module objectd
//	StartAlibabaNacos  Alibaba's own Nacos, by Maven, module alibabad
//	StartKafka         Apache Kafka, by Maven, module kafkad
//
// They are modules of their own, so that nothing of them is among the dependencies of Hermod, and
// are built once into the user's cache: minutes for the first time, which is why tests that need them
// are skipped unless HERMOD_TEST_REGISTRIES is set (`make race` and `make check` set it); Alibaba's has
// HERMOD_TEST_ALIBABA_NACOS and Kafka HERMOD_TEST_KAFKA, which nothing sets. A test that needs one simply
// starts it, and may be in any package.
//
// A Server belongs to the test that started it: its methods are for that test's goroutine, fail the
// test when the server does not do what it should, and the process ends with the test.
package registries

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Apache Kafka for tests: one node that is broker and controller, and makes no topics by itself. Everything it writes is
 * in its directory. It listens for everybody, for its controller on the port behind, and for those with a name and a
 * password on the one behind that. Arguments: port, directory, name, password.
 */
public class Kafkad {
    public static void main(String[] args) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        int port = Integer.parseInt(args[0]);
        Path dir = Files.createDirectories(Path.of(args[1]).toAbsolutePath());
        String plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_" + args[2] + "=\"" + args[3] + "\";";
        String scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        String listeners = "ANYBODY://127.0.0.1:" + port + ",KNOWN://127.0.0.1:" + (port + 2);
        Path file = dir.resolve("server.properties");
        Files.writeString(file, String.join("\n",
            "process.roles=broker,controller",
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:" + (port + 1),
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=ANYBODY",
            "listener.security.protocol.map=ANYBODY:PLAINTEXT,CONTROLLER:PLAINTEXT,KNOWN:SASL_PLAINTEXT",
            "listeners=" + listeners + ",CONTROLLER://127.0.0.1:" + (port + 1),
            "advertised.listeners=" + listeners,
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.known.plain.sasl.jaas.config=" + plain,
            "listener.name.known.scram-sha-256.sasl.jaas.config=" + scram,
            "listener.name.known.scram-sha-512.sasl.jaas.config=" + scram,
            "log.dirs=" + dir.resolve("logs"),
            "num.partitions=4",
            "auto.create.topics.enable=false",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1", ""));
        String known = "=[name=" + args[2] + ",password=" + args[3] + "]";
        int code = kafka.tools.StorageTool.execute(new String[] {
            "format", "--cluster-id", "aGVybW9kLXRlc3RzLi4uLg", "--config", file.toString(), "--ignore-formatted",
            "--add-scram", "SCRAM-SHA-256" + known, "--add-scram", "SCRAM-SHA-512" + known,
        }, System.out);
        if (code != 0) {
            System.exit(code);
        }
        kafka.Kafka.main(new String[] {file.toString()});
    }
}

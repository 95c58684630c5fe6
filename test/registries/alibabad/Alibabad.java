import com.alibaba.nacos.NacosServerBasicApplication;
import com.alibaba.nacos.NacosServerWebApplication;
import com.alibaba.nacos.core.listener.startup.NacosStartUp;
import com.alibaba.nacos.core.listener.startup.NacosStartUpManager;
import com.alibaba.nacos.sys.env.DeploymentType;
import com.alibaba.nacos.sys.env.EnvUtil;
import java.nio.file.Files;
import java.nio.file.Path;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;

/**
 * Alibaba's Nacos server for tests: standalone, with its embedded store, without users and console.
 * Everything it writes is in its directory. Arguments: HTTP port, directory.
 */
public class Alibabad {
    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[1]).toAbsolutePath();
        Path conf = Files.createDirectories(home.resolve("conf"));
        Files.writeString(conf.resolve("application.properties"), String.join("\n",
            "nacos.server.main.port=" + args[0],
            "server.address=127.0.0.1",
            "nacos.core.auth.enabled=false",
            "nacos.core.auth.admin.enabled=false",
            "nacos.core.auth.console.enabled=false",
            "nacos.core.auth.system.type=nacos",
            "spring.sql.init.platform=derby",
            // A loaded machine takes longer than the 30s of the default to make the store.
            "db.pool.config.connectionTimeout=120000", ""));
        System.setProperty("nacos.standalone", "true");
        System.setProperty("nacos.home", home.toString());
        System.setProperty("nacos.server.ip", "127.0.0.1");
        System.setProperty("nacos.deployment.type", "server");
        System.setProperty("spring.config.additional-location", "file:" + conf + "/");
        System.setProperty("logging.config", "classpath:META-INF/logback/nacos.xml");

        EnvUtil.setDeploymentType(DeploymentType.SERVER);
        NacosStartUpManager.start(NacosStartUp.CORE_START_UP_PHASE);
        var core = new SpringApplicationBuilder(NacosServerBasicApplication.class).web(WebApplicationType.NONE).run();
        NacosStartUpManager.start(NacosStartUp.WEB_START_UP_PHASE);
        new SpringApplicationBuilder(NacosServerWebApplication.class).parent(core).run();
    }
}

package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;

class GpuSchedulingTest {
    private static SparkConf conf(String... pairs) {
        SparkConf conf = new SparkConf(false);
        for (int i = 0; i < pairs.length; i += 2) {
            conf.set(pairs[i], pairs[i + 1]);
        }
        return conf;
    }

    private static SparkConf gpus(String executor, String task, String cores) {
        return conf(
                "spark.executor.resource.gpu.amount", executor,
                "spark.task.resource.gpu.amount", task,
                "spark.executor.cores", cores);
    }

    @Test
    void hasNothingToSayOfTheConfigurationInConf() throws Exception {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(Path.of("..", "conf", "gpu.conf"))) {
            properties.load(reader);
        }
        SparkConf conf = new SparkConf(false);
        properties.forEach((key, value) -> conf.set((String) key, (String) value));
        assertThat(GpuScheduling.advice(conf)).isEmpty();
    }

    @Test
    void saysWhereGpusAreNotScheduled() {
        assertThat(GpuScheduling.advice(conf()))
                .singleElement()
                .asString()
                .contains("executor.resource.gpu.amount is not set");
    }

    @Test
    void saysWhereCoresWouldIdle() {
        assertThat(GpuScheduling.advice(gpus("1", "1", "8")))
                .singleElement()
                .asString()
                .contains("1 tasks run on an executor's 8 cores", "0.125");
        assertThat(GpuScheduling.advice(gpus("2", "0.5", "8")))
                .singleElement()
                .asString()
                .contains("4 tasks", "0.25");
        assertThat(GpuScheduling.advice(gpus("2", "0.25", "8"))).isEmpty();
        assertThat(GpuScheduling.advice(gpus("4", "1", "4"))).isEmpty();
    }

    @Test
    void refusesSharesThatSparkCannotGive() {
        for (String amount : new String[] {"0.7", "1.5", "0", "-1", "half"}) {
            assertThatThrownBy(() -> GpuScheduling.advice(gpus("1", amount, "4")))
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                    .hasMessageContaining(amount);
        }
        assertThatThrownBy(() -> GpuScheduling.advice(conf("spark.executor.resource.gpu.amount", "1")))
                .hasMessageContaining("spark.task.resource.gpu.amount is not set");
    }
}

package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.udfs.Settings;
import java.util.List;
import org.junit.jupiter.api.Test;

class TaskDeviceTest {
    @Test
    void takesWhatSparkGaveTheTask() {
        assertThat(TaskDevice.of(Settings.Device.CUDA, List.of("1", "0"), null)).isEqualTo("cuda:1");
        assertThat(TaskDevice.of(Settings.Device.AUTO, List.of("3"), "")).isEqualTo("cuda:3");
    }

    @Test
    void countsAsTheProcessSeesThem() {
        assertThat(TaskDevice.of(Settings.Device.CUDA, List.of("6"), "4,6")).isEqualTo("cuda:1");
        assertThat(TaskDevice.of(Settings.Device.CUDA, List.of("GPU-8a"), "GPU-77, GPU-8a"))
                .isEqualTo("cuda:1");
        // discovered inside the container, where CUDA_VISIBLE_DEVICES names them as the host does
        assertThat(TaskDevice.of(Settings.Device.CUDA, List.of("0"), "4,6")).isEqualTo("cuda:0");
    }

    @Test
    void leavesTheSettingAloneWhereSparkGaveNone() {
        assertThat(TaskDevice.of(Settings.Device.CUDA, List.of(), null)).isEqualTo("cuda");
        assertThat(TaskDevice.of(Settings.Device.AUTO, List.of(), "1")).isEqualTo("auto");
        assertThat(TaskDevice.of(Settings.Device.CPU, List.of("2"), null)).isEqualTo("cpu");
    }

    @Test
    void refusesNamesThatAreNoPlaces() {
        assertThatThrownBy(() -> TaskDevice.of(Settings.Device.CUDA, List.of("GPU-1"), "GPU-2"))
                .hasMessageContaining("GPU-1")
                .hasMessageContaining("CUDA_VISIBLE_DEVICES (GPU-2)");
    }
}

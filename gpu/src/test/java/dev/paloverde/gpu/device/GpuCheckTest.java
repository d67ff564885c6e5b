package dev.paloverde.gpu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("gpu")
class GpuCheckTest {
    @Test
    void aRealGpuDoesWhatTheRoomPromises() {
        assumeTrue(Device.obstacle().isEmpty(), () -> Device.obstacle().orElseThrow());
        assertThat(GpuCheck.run()).as("failed checks; see the output").isZero();
    }
}

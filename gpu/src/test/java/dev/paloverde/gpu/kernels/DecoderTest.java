package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.paloverde.gpu.device.Device;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("gpu")
class DecoderTest {
    @Test
    void aStepInOneLaunchHasTheBitsOfItsOperations() {
        assumeTrue(Device.obstacle().isEmpty(), () -> Device.obstacle().orElseThrow());
        assertThat(DecoderProbe.check()).as("cases that differ; see the output").isZero();
    }
}

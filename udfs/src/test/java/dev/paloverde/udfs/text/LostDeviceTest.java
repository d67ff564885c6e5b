package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LostDeviceTest {
    private final PaloverdeException fault =
            new PaloverdeException(ErrorCode.ENGINE_FAILED, "CUDA_ERROR_ILLEGAL_ADDRESS (700)");

    @Test
    void endsAnExecutorAndNotADriver() {
        List<Integer> exits = new ArrayList<>();
        LostDevice.leave("driver", fault, exits::add);
        assertThat(exits).isEmpty();
        LostDevice.leave("7", fault, exits::add);
        assertThat(exits).containsExactly(LostDevice.EXIT_STATUS);
    }
}

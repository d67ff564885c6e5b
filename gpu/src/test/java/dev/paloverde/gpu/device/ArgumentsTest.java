package dev.paloverde.gpu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ArgumentsTest {
    @Test
    void laysFieldsOutAsDeclared() {
        // device_check.cu, struct Layout; GpuCheck asks nvcc's own code
        Arguments arguments =
                new Arguments().real(1.5f).wide(-2).integer(3).wide(4).real(-0.5f);
        ByteBuffer fields = arguments.fields();
        assertThat(fields.getFloat(0)).isEqualTo(1.5f);
        assertThat(fields.getLong(8)).isEqualTo(-2);
        assertThat(fields.getInt(16)).isEqualTo(3);
        assertThat(fields.getLong(24)).isEqualTo(4);
        assertThat(fields.getFloat(32)).isEqualTo(-0.5f);
        assertThat(arguments.bytes()).isEqualTo(40);
    }

    @Test
    void laysOutWhatAttentionTakes() {
        // attention.cuh asserts these offsets
        Arguments arguments = new Arguments();
        for (int i = 0; i < 9; i++) {
            arguments.nothing();
        }
        for (int i = 0; i < 14; i++) {
            arguments.wide(100 + i);
        }
        for (int i = 0; i < 9; i++) {
            arguments.integer(200 + i);
        }
        arguments.real(0.125f);
        for (int i = 0; i < 8; i++) {
            arguments.integer(0);
        }
        assertThat(arguments.fields().getLong(72)).isEqualTo(100);
        assertThat(arguments.fields().getLong(168)).isEqualTo(112);
        assertThat(arguments.fields().getInt(184)).isEqualTo(200);
        assertThat(arguments.fields().getFloat(220)).isEqualTo(0.125f);
        assertThat(arguments.bytes()).isEqualTo(256);
    }

    @Test
    void laysAnyFieldsOutAsTheCompilerDoes(@TempDir Path directory) throws Exception {
        assumeTrue(Commands.found("gcc"), "needs gcc");
        Random random = new Random(20);
        StringBuilder source = new StringBuilder("#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n");
        StringBuilder main = new StringBuilder("int main(void) {\n");
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            Arguments arguments = new Arguments();
            source.append("struct S").append(i).append(" {");
            int fields = 1 + random.nextInt(30);
            for (int field = 0; field < fields; field++) {
                int before = arguments.bytes();
                String type = switch (random.nextInt(3)) {
                    case 0 -> "int32_t";
                    case 1 -> "float";
                    default -> "int64_t";
                };
                switch (type) {
                    case "int32_t" -> arguments.integer(-1);
                    case "float" -> arguments.real(Float.intBitsToFloat(-1));
                    default -> arguments.wide(-1);
                }
                assertThat(arguments.bytes()).isGreaterThanOrEqualTo(before);
                source.append(' ').append(type).append(" f").append(field).append(';');
            }
            source.append(" };\n");
            // which bytes are fields: all ones there, padding zero
            main.append("  { union { struct S%d s; unsigned char b[sizeof(struct S%d)]; } u = {.b = {0}};\n"
                    .formatted(i, i));
            for (int field = 0; field < fields; field++) {
                main.append(
                        "    for (size_t i = 0; i < sizeof u.s.f%d; i++) u.b[offsetof(struct S%d, f%d) + i] = 255;\n"
                                .formatted(field, i, field));
            }
            main.append("    for (size_t i = 0; i < sizeof u; i++) putchar(u.b[i] ? '#' : '.'); putchar('\\n'); }\n");
            StringBuilder bytes = new StringBuilder();
            for (int offset = 0; offset < arguments.bytes(); offset++) {
                bytes.append(arguments.fields().get(offset) != 0 ? '#' : '.');
            }
            expected.add(bytes.toString());
        }
        Path file = Files.writeString(
                directory.resolve("layout.c"), source.append(main).append("}\n"));
        Path program = directory.resolve("layout");
        assertThat(Commands.run("gcc", "-o", program.toString(), file.toString())
                        .status())
                .isZero();
        assertThat(Commands.run(program.toString()).output().lines().toList()).isEqualTo(expected);
    }

    @Test
    void growsAndKeepsWhatItHas() {
        Arguments arguments = new Arguments();
        for (int i = 0; i < 512; i++) {
            arguments.wide(i);
        }
        for (int i = 0; i < 512; i++) {
            assertThat(arguments.fields().getLong(8 * i)).isEqualTo(i);
        }
        assertThatThrownBy(() -> arguments.integer(1))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INTERNAL))
                .hasMessageContaining("at most 4096 bytes");
        assertThat(arguments.clear().integer(7).bytes()).isEqualTo(4);
    }

    @Test
    void leavesNothingOfEarlierFieldsInPadding() {
        Arguments arguments = new Arguments().wide(-1).wide(-1);
        arguments.clear().integer(1).wide(2);
        assertThat(arguments.fields().getInt(4)).isZero();
    }

    @Test
    void isFilledAgainWithoutGarbage() {
        Arguments arguments = new Arguments();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 5; round++) {
            long before = threads.getThreadAllocatedBytes(self);
            for (int i = 0; i < 100_000; i++) {
                arguments.clear().wide(i).integer(i).real(i).wide(i);
            }
            least = Math.min(least, threads.getThreadAllocatedBytes(self) - before);
        }
        assertThat(least).isLessThan(1000);
    }
}

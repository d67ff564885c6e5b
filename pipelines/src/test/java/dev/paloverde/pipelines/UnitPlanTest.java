package dev.paloverde.pipelines;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

class UnitPlanTest {
    @Example
    void unitsHaveAboutTheTokensAskedFor() {
        UnitPlan plan = UnitPlan.of(new UnitPlan.Work(10_000, 30_000_000, 99), 100_000, 16);

        assertThat(plan.tokens()).isEqualTo(10_000_000 + 10_000 * 100);
        assertThat(plan.units()).isEqualTo(110);
    }

    @Example
    void fewRowsStillKeepEverySlotBusy() {
        assertThat(UnitPlan.of(new UnitPlan.Work(40, 4000, 16), 100_000, 16).units())
                .isEqualTo(16);
        assertThat(UnitPlan.of(new UnitPlan.Work(3, 4000, 16), 100_000, 16).units())
                .isEqualTo(3);
        assertThat(UnitPlan.of(new UnitPlan.Work(0, 0, 16), 100_000, 16).units())
                .isEqualTo(1);
    }

    @Property
    void thereIsNoUnitWithoutRowsToFillIt(
            @ForAll @LongRange(min = 0, max = 1L << 40) long rows,
            @ForAll @LongRange(min = 0, max = 1L << 50) long bytes,
            @ForAll @LongRange(min = 1, max = 1L << 40) long unitTokens,
            @ForAll @IntRange(min = 1, max = 10_000) int slots) {
        UnitPlan plan = UnitPlan.of(new UnitPlan.Work(rows, bytes, 128), unitTokens, slots);

        assertThat(plan.units()).isBetween(1, UnitPlan.MAX_UNITS);
        assertThat((long) plan.units()).isLessThanOrEqualTo(Math.max(1, rows));
    }
}

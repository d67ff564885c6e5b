package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class PagePoolTest {
    @Test
    void aPageIsFreeWhenItsLastUserIsGone() {
        PagePool pool = new PagePool(2);
        int shared = pool.allocate();
        int own = pool.allocate();
        pool.share(shared);
        assertThatThrownBy(pool::allocate).isInstanceOf(IllegalStateException.class);
        pool.release(shared);
        assertThat(pool.free()).isZero();
        pool.release(shared);
        assertThat(pool.free()).isEqualTo(1);
        assertThat(pool.allocate()).isEqualTo(shared);
        pool.release(shared);
        pool.release(own);
        assertThat(pool.inUse()).isZero();
        assertThat(pool.peak()).isEqualTo(2);
        assertThatThrownBy(() -> pool.release(own)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> pool.share(own)).isInstanceOf(IllegalStateException.class);
    }
}

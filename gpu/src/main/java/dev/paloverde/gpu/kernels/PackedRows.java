package dev.paloverde.gpu.kernels;

/**
 * Rows of activations, packed for {@link Arithmetic#accumulate}: tiles of {@link Arithmetic#MOST_ROWS} rows, the last of
 * as few as will do, each {@code [column][row of tile]}. A tile of a single row is left where it is. Rows that fill a
 * tile up are zero. How rows are grouped does not touch their results.
 */
final class PackedRows {
    private static final int MOST = Arithmetic.MOST_ROWS;

    private float[] source;
    private int rows;
    private int columns;
    private float[] packed = new float[0];

    /** Takes [rows, columns]. */
    void pack(float[] newSource, int newRows, int newColumns, Workers workers) {
        source = newSource;
        rows = newRows;
        columns = newColumns;
        int need = Math.multiplyExact(tiles(), MOST * columns);
        if (packed.length < need) {
            packed = new float[need];
        }
        if ((long) rows * columns < 1 << 16) {
            for (int tile = 0; tile < tiles(); tile++) {
                packTile(tile);
            }
        } else {
            workers.run(tiles(), (tile, scratch) -> packTile(tile));
        }
    }

    private void packTile(int tile) {
        int height = height(tile);
        if (height == 1) {
            return;
        }
        int first = tile * MOST;
        int target = first * columns;
        for (int r = 0; r < height; r++) {
            if (first + r < rows) {
                int from = (first + r) * columns;
                for (int column = 0; column < columns; column++) {
                    packed[target + column * height + r] = source[from + column];
                }
            } else {
                for (int column = 0; column < columns; column++) {
                    packed[target + column * height + r] = 0f;
                }
            }
        }
    }

    int rows() {
        return rows;
    }

    int columns() {
        return columns;
    }

    int tiles() {
        return (rows + MOST - 1) / MOST;
    }

    /** {@return the rows of a tile, filling included: 1, 2, 4 or 8} */
    int height(int tile) {
        return tileHeight(Math.min(MOST, rows - tile * MOST));
    }

    /** {@return the smallest tile that takes so many rows} */
    static int tileHeight(int count) {
        return count <= 2 ? count : count <= 4 ? 4 : MOST;
    }

    /** {@return the array that has the tile} */
    float[] array(int tile) {
        return height(tile) == 1 ? source : packed;
    }

    /** {@return where in its array the tile's column begins} */
    int offset(int tile, int column) {
        return tile * MOST * columns + column * height(tile);
    }
}

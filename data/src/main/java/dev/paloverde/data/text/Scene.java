package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a document of the source {@code captions} describes.
 *
 * @param items two to five things, no two in one place, in the order in which the caption names them
 * @param ground what they stand on
 * @param sky what is above
 */
public record Scene(List<Item> items, Ground ground, Sky sky) {
    /**
     * One thing.
     *
     * @param column 0 on the left, 1 in the middle, 2 on the right
     * @param row 0 far away, 1 halfway, 2 in front
     */
    public record Item(Shape shape, Color color, Size size, int column, int row) {}

    /** What a thing is. The order is that of the draws. */
    public enum Shape {
        SAGUARO,
        ROCK,
        PALO_VERDE,
        BIRD,
        HOUSE,
        BARREL,
        TENT,
        FLOWER;

        /** The singular, as captions have it. */
        public String word() {
            return inWords(this);
        }
    }

    /** The color of a thing. */
    public enum Color {
        GREEN,
        ORANGE,
        YELLOW,
        WHITE,
        BROWN,
        RED,
        BLUE,
        GRAY;

        /** As captions have it. */
        public String word() {
            return inWords(this);
        }
    }

    /** How big a thing is, for things of its kind. */
    public enum Size {
        SMALL,
        LARGE,
        TALL,
        TINY;

        /** As captions have it. */
        public String word() {
            return inWords(this);
        }
    }

    /** What the things stand on. */
    public enum Ground {
        YELLOW_SAND,
        BROWN_SOIL,
        GRAY_STONES,
        DRY_GRASS;

        /** As captions have it. */
        public String words() {
            return inWords(this);
        }
    }

    /** What is above. */
    public enum Sky {
        BLUE("a blue sky"),
        PINK_EVENING("a pink evening sky"),
        DARK_WITH_STARS("a dark sky with stars"),
        GRAY_WITH_RAIN("a gray sky with rain"),
        ORANGE_SUNRISE("an orange sunrise");

        private final String words;

        Sky(String words) {
            this.words = words;
        }

        /** As captions have it. */
        public String words() {
            return words;
        }
    }

    public Scene {
        items = List.copyOf(items);
    }

    /** The scene that {@code TextSource.CAPTIONS.document(seed, index)} describes. */
    public static Scene of(long seed, int index) {
        return draw(Draws.of(seed, TextSource.CAPTIONS.label(), index));
    }

    static Scene draw(Draws draws) {
        List<Item> items = new ArrayList<>();
        List<Integer> places = draws.some(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8), draws.between(2, 5));
        for (int place : places) {
            Shape shape = draws.pick(Shape.values());
            Color color = draws.pick(Color.values());
            items.add(new Item(shape, color, draws.pick(Size.values()), place % 3, place / 3));
        }
        return new Scene(items, draws.pick(Ground.values()), draws.pick(Sky.values()));
    }

    private static String inWords(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}

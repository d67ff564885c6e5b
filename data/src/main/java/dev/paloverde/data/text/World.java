package dev.paloverde.data.text;

import java.util.List;

/** The things that every source speaks of. Their properties never change from one document to the next. */
final class World {
    enum Group {
        BIRD("bird"),
        MAMMAL("mammal"),
        REPTILE("reptile"),
        AMPHIBIAN("amphibian"),
        INSECT("insect");

        final String word;

        Group(String word) {
            this.word = word;
        }
    }

    record Animal(
            String name,
            String plural,
            Group group,
            String eats,
            String home,
            String active,
            String color,
            String moves,
            String gift) {}

    record Plant(String name, String plural, String kind, String flower, String month, int height, String known) {}

    record Place(String name, String side, String known, String water) {}

    record Name(String name, boolean female) {
        String he() {
            return female ? "she" : "he";
        }

        String him() {
            return female ? "her" : "him";
        }

        String his() {
            return female ? "her" : "his";
        }
    }

    static final List<Animal> ANIMALS = List.of(
            new Animal(
                    "Gila woodpecker",
                    "Gila woodpeckers",
                    Group.BIRD,
                    "cactus fruit and insects",
                    "a hole in a saguaro",
                    "by day",
                    "brown and white",
                    "flew",
                    "drilling holes"),
            new Animal(
                    "cactus wren",
                    "cactus wrens",
                    Group.BIRD,
                    "insects and spiders",
                    "a round nest in a cholla",
                    "by day",
                    "brown with white spots",
                    "flew",
                    "weaving grass"),
            new Animal(
                    "elf owl",
                    "elf owls",
                    Group.BIRD,
                    "moths and beetles",
                    "an old woodpecker hole",
                    "at night",
                    "gray",
                    "flew",
                    "seeing in the dark"),
            new Animal(
                    "great horned owl",
                    "great horned owls",
                    Group.BIRD,
                    "rabbits and mice",
                    "a ledge on a cliff",
                    "at night",
                    "gray and brown",
                    "flew",
                    "hearing far sounds"),
            new Animal(
                    "roadrunner",
                    "roadrunners",
                    Group.BIRD,
                    "lizards and snakes",
                    "a nest of sticks in a low tree",
                    "by day",
                    "brown with dark stripes",
                    "ran",
                    "running fast"),
            new Animal(
                    "Harris hawk",
                    "Harris hawks",
                    Group.BIRD,
                    "rabbits and ground squirrels",
                    "a nest in a tall saguaro",
                    "by day",
                    "dark brown",
                    "flew",
                    "seeing far away"),
            new Animal(
                    "quail",
                    "quail",
                    Group.BIRD,
                    "seeds and buds",
                    "a shallow nest under a bush",
                    "by day",
                    "gray and blue",
                    "ran",
                    "counting chicks"),
            new Animal(
                    "hummingbird",
                    "hummingbirds",
                    Group.BIRD,
                    "nectar and tiny flies",
                    "a nest as small as a nut",
                    "by day",
                    "green",
                    "flew",
                    "finding flowers"),
            new Animal(
                    "turkey vulture",
                    "turkey vultures",
                    Group.BIRD,
                    "animals that are already dead",
                    "a cave in a cliff",
                    "by day",
                    "black",
                    "flew",
                    "riding the warm air"),
            new Animal(
                    "coyote",
                    "coyotes",
                    Group.MAMMAL,
                    "almost anything it finds",
                    "a den in a sandy bank",
                    "at dusk",
                    "gray and tan",
                    "ran",
                    "singing"),
            new Animal(
                    "kit fox",
                    "kit foxes",
                    Group.MAMMAL,
                    "kangaroo rats and insects",
                    "a den with many doors",
                    "at night",
                    "pale gray",
                    "ran",
                    "listening"),
            new Animal(
                    "javelina",
                    "javelinas",
                    Group.MAMMAL,
                    "prickly pear pads and roots",
                    "a cool thicket",
                    "at dawn and dusk",
                    "dark gray",
                    "walked",
                    "smelling roots"),
            new Animal(
                    "jackrabbit",
                    "jackrabbits",
                    Group.MAMMAL,
                    "grass and mesquite leaves",
                    "a shallow bed in the shade",
                    "at dusk",
                    "tan with black ears",
                    "ran",
                    "jumping"),
            new Animal(
                    "kangaroo rat",
                    "kangaroo rats",
                    Group.MAMMAL,
                    "dry seeds",
                    "a burrow with many rooms",
                    "at night",
                    "sandy brown",
                    "hopped",
                    "saving seeds"),
            new Animal(
                    "pack rat",
                    "pack rats",
                    Group.MAMMAL,
                    "leaves, seeds and cactus",
                    "a heap of sticks and thorns",
                    "at night",
                    "gray brown",
                    "walked",
                    "keeping small treasures"),
            new Animal(
                    "ringtail",
                    "ringtails",
                    Group.MAMMAL,
                    "mice, fruit and insects",
                    "a crack in the rocks",
                    "at night",
                    "tan with a striped tail",
                    "climbed",
                    "climbing"),
            new Animal(
                    "bobcat",
                    "bobcats",
                    Group.MAMMAL,
                    "rabbits and birds",
                    "a rocky den",
                    "at dusk",
                    "tan with dark spots",
                    "walked",
                    "walking without a sound"),
            new Animal(
                    "bighorn sheep",
                    "bighorn sheep",
                    Group.MAMMAL,
                    "grass and shrubs",
                    "a steep rocky slope",
                    "by day",
                    "brown",
                    "climbed",
                    "standing on narrow ledges"),
            new Animal(
                    "nectar bat",
                    "nectar bats",
                    Group.MAMMAL,
                    "nectar and pollen",
                    "a deep cave",
                    "at night",
                    "brown and gray",
                    "flew",
                    "remembering every flower"),
            new Animal(
                    "desert tortoise",
                    "desert tortoises",
                    Group.REPTILE,
                    "grass and wildflowers",
                    "a burrow in firm soil",
                    "on cool mornings",
                    "brown",
                    "walked",
                    "waiting"),
            new Animal(
                    "Gila monster",
                    "Gila monsters",
                    Group.REPTILE,
                    "eggs and young birds",
                    "a hole under a rock",
                    "on warm mornings",
                    "black and orange",
                    "walked",
                    "living on very little"),
            new Animal(
                    "horned lizard",
                    "horned lizards",
                    Group.REPTILE,
                    "ants",
                    "loose sand",
                    "by day",
                    "the color of sand",
                    "ran",
                    "hiding"),
            new Animal(
                    "chuckwalla",
                    "chuckwallas",
                    Group.REPTILE,
                    "leaves and flowers",
                    "a crack between boulders",
                    "by day",
                    "dark gray",
                    "walked",
                    "holding on tight"),
            new Animal(
                    "king snake",
                    "king snakes",
                    Group.REPTILE,
                    "mice and other snakes",
                    "an empty burrow",
                    "on warm evenings",
                    "black and white",
                    "slid",
                    "finding hidden doors"),
            new Animal(
                    "spadefoot toad",
                    "spadefoot toads",
                    Group.AMPHIBIAN,
                    "termites and beetles",
                    "mud deep below the ground",
                    "on rainy nights",
                    "green and gray",
                    "hopped",
                    "digging"),
            new Animal(
                    "carpenter bee",
                    "carpenter bees",
                    Group.INSECT,
                    "nectar and pollen",
                    "a tunnel in dry wood",
                    "by day",
                    "shiny black",
                    "flew",
                    "working all day"),
            new Animal(
                    "harvester ant",
                    "harvester ants",
                    Group.INSECT,
                    "seeds",
                    "a nest with a wide bare circle",
                    "by day",
                    "dark red",
                    "walked",
                    "carrying loads"));

    static final List<Plant> PLANTS = List.of(
            new Plant("saguaro", "saguaros", "cactus", "white", "May", 12, "its arms and its red fruit"),
            new Plant("palo verde", "palo verdes", "tree", "yellow", "April", 7, "its green bark"),
            new Plant("ironwood", "ironwoods", "tree", "purple", "May", 9, "its very hard wood"),
            new Plant("mesquite", "mesquites", "tree", "pale yellow", "April", 8, "its sweet pods"),
            new Plant("desert willow", "desert willows", "tree", "pink", "June", 6, "its long thin leaves"),
            new Plant("ocotillo", "ocotillos", "shrub", "red", "March", 5, "its long thorny canes"),
            new Plant("creosote bush", "creosote bushes", "shrub", "yellow", "February", 2, "its smell after rain"),
            new Plant("brittlebush", "brittlebushes", "shrub", "yellow", "March", 1, "its silver leaves"),
            new Plant("fairy duster", "fairy dusters", "shrub", "pink", "March", 1, "its soft round flowers"),
            new Plant("prickly pear", "prickly pears", "cactus", "yellow", "May", 2, "its flat pads and purple fruit"),
            new Plant("cholla", "chollas", "cactus", "orange", "April", 3, "its joints that cling to everything"),
            new Plant("barrel cactus", "barrel cactuses", "cactus", "orange", "August", 1, "its round shape"),
            new Plant(
                    "hedgehog cactus", "hedgehog cactuses", "cactus", "purple", "April", 1, "its bright early flowers"),
            new Plant("organ pipe cactus", "organ pipe cactuses", "cactus", "white", "June", 5, "its many tall stems"));

    static final List<Place> PLACES = List.of(
            new Place("Red Wash", "north", "smooth red stones", "a sandy stream that runs after storms"),
            new Place("Owl Canyon", "east", "high quiet walls", "a pool under the rocks"),
            new Place("Mesquite Flat", "south", "old mesquite trees", "a slow ditch"),
            new Place("Coyote Spring", "west", "cold clear water", "a spring that never dries"),
            new Place("Painted Ridge", "north", "bands of colored rock", "no water at all"),
            new Place("Stone Arch", "east", "a bridge of yellow stone", "a few drops from a crack"),
            new Place("Willow Tank", "south", "tall desert willows", "a round stone tank"),
            new Place("Lizard Hill", "west", "warm flat boulders", "no water at all"),
            new Place("Thorn Valley", "north", "thick fields of cholla", "a hidden well"),
            new Place("Moon Basin", "south", "white sand", "a shallow lake in winter"));

    static final List<Name> NAMES = List.of(
            new Name("Pip", false),
            new Name("Sage", true),
            new Name("Juniper", true),
            new Name("Moss", false),
            new Name("Ash", false),
            new Name("Clover", true),
            new Name("Dusty", false),
            new Name("Ember", true),
            new Name("Flint", false),
            new Name("Hazel", true),
            new Name("Ivy", true),
            new Name("Jasper", false),
            new Name("Kit", false),
            new Name("Luna", true),
            new Name("Marlo", false),
            new Name("Nettle", true),
            new Name("Olive", true),
            new Name("Poppy", true),
            new Name("Quill", false),
            new Name("Rusty", false),
            new Name("Tansy", true),
            new Name("Bramble", false),
            new Name("Violet", true),
            new Name("Yarrow", false),
            new Name("Cedar", false),
            new Name("Maple", true),
            new Name("Reed", false),
            new Name("Fern", true));

    static final List<Name> PEOPLE = List.of(
            new Name("Anna", true),
            new Name("Ben", false),
            new Name("Carla", true),
            new Name("David", false),
            new Name("Elena", true),
            new Name("Frank", false),
            new Name("Grace", true),
            new Name("Henry", false),
            new Name("Irene", true),
            new Name("Jonas", false),
            new Name("Kara", true),
            new Name("Leo", false),
            new Name("Maya", true),
            new Name("Nora", true),
            new Name("Oscar", false),
            new Name("Paula", true),
            new Name("Rosa", true),
            new Name("Sam", false),
            new Name("Tomas", false),
            new Name("Vera", true));

    static final List<String> MONTHS = List.of(
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December");

    private static final List<String> SMALL_NUMBERS = List.of(
            "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve");

    /** A count in words up to twelve, in digits beyond. */
    static String count(int number) {
        return number < SMALL_NUMBERS.size() ? SMALL_NUMBERS.get(number) : Integer.toString(number);
    }

    /** A count with its noun: {@code three eggs}, {@code one egg}. */
    static String counted(int number, String singular, String plural) {
        return count(number) + " " + (number == 1 ? singular : plural);
    }

    private World() {}
}

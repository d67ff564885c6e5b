package dev.paloverde.data.text;

import dev.paloverde.data.text.World.Name;
import java.util.ArrayList;
import java.util.List;

/** Word problems with small whole numbers; every step is an equation that holds. */
final class Arithmetic implements TextSource.Author {
    private record Thing(String one, String many, String holder, String holders) {}

    private static final List<Thing> THINGS = List.of(
            new Thing("seed", "seeds", "jar", "jars"),
            new Thing("stone", "stones", "box", "boxes"),
            new Thing("egg", "eggs", "nest", "nests"),
            new Thing("flower", "flowers", "pot", "pots"),
            new Thing("fruit", "fruits", "basket", "baskets"),
            new Thing("feather", "feathers", "bag", "bags"),
            new Thing("book", "books", "shelf", "shelves"),
            new Thing("coin", "coins", "purse", "purses"),
            new Thing("candle", "candles", "box", "boxes"),
            new Thing("bottle of water", "bottles of water", "crate", "crates"));

    @Override
    public String write(Draws draws) {
        int problems = draws.between(2, 4);
        List<String> parts = new ArrayList<>();
        for (int problem = 0; problem < problems; problem++) {
            parts.add(problem(draws));
        }
        return String.join("\n\n", parts);
    }

    private static String problem(Draws draws) {
        List<Name> people = draws.some(World.PEOPLE, 2);
        Thing thing = draws.pick(THINGS);
        Phrases phrases = new Phrases(draws)
                .bind("a", people.get(0).name())
                .bind("he", people.get(0).he())
                .bind("his", people.get(0).his())
                .bind("b", people.get(1).name())
                .bind("one", thing.one())
                .bind("many", thing.many())
                .bind("holder", thing.holder())
                .bind("holders", thing.holders())
                .bind("place", draws.pick(World.PLACES).name());
        return switch (draws.below(8)) {
            case 0 -> gathering(draws, phrases);
            case 1 -> giving(draws, phrases);
            case 2 -> packing(draws, phrases);
            case 3 -> sharing(draws, phrases);
            case 4 -> comparing(draws, phrases);
            case 5 -> walking(draws, phrases);
            case 6 -> buying(draws, phrases);
            default -> growing(draws, phrases);
        };
    }

    private static String worked(Phrases phrases, String problem, String steps, String answer) {
        return "Problem: " + phrases.say(problem) + "\nSteps: " + phrases.say(steps) + "\nAnswer: " + answer;
    }

    private static String gathering(Draws draws, Phrases phrases) {
        int first = draws.between(2, 30);
        int second = draws.between(2, 30);
        phrases.bind("x", first).bind("y", second).bind("sum", first + second);
        return worked(
                phrases,
                "{$a found $x $many in the morning and $y in the afternoon.|$a has $x $many. {Then $b brings $y more|$b gives $a $y more}.} {How many $many does $a have now?|How many $many are there in all?}",
                "$x + $y = $sum.",
                "" + (first + second));
    }

    private static String giving(Draws draws, Phrases phrases) {
        int first = draws.between(12, 50);
        int second = draws.between(2, 6);
        int third = draws.between(1, 5);
        int rest = first - second;
        phrases.bind("x", first)
                .bind("y", second)
                .bind("z", third)
                .bind("rest", rest)
                .bind("end", rest - third);
        return worked(
                phrases,
                "$a {has|had} $x $many. $he {gives|gave} $y to $b and {loses|lost} $z {on the way home|at $place}. How many $many {does $a still have|are left}?",
                "$x - $y = $rest. $rest - $z = $end.",
                "" + (rest - third));
    }

    private static String packing(Draws draws, Phrases phrases) {
        int holders = draws.between(2, 9);
        int each = draws.between(2, 9);
        int loose = draws.between(0, 8);
        int packed = holders * each;
        phrases.bind("x", holders)
                .bind("y", each)
                .bind("z", loose)
                .bind("packed", packed)
                .bind("all", packed + loose);
        return loose < 2
                ? worked(
                        phrases,
                        "{There are $x $holders with $y $many in each.|$a fills $x $holders. In every $holder $he puts $y $many.} How many $many are there?",
                        "$x * $y = $packed.",
                        "" + packed)
                : worked(
                        phrases,
                        "$a has $x $holders with $y $many in each, and $z {loose|more} $many {on the table|in $his hand}. How many $many does $a have?",
                        "$x * $y = $packed. $packed + $z = $all.",
                        "" + (packed + loose));
    }

    private static String sharing(Draws draws, Phrases phrases) {
        int friends = draws.between(2, 8);
        int each = draws.between(2, 9);
        int left = draws.below(friends);
        int total = friends * each + left;
        phrases.bind("x", total)
                .bind("y", friends)
                .bind("z", each)
                .bind("left", left)
                .bind("even", friends * each);
        return left == 0
                ? worked(
                        phrases,
                        "{$a shares $x $many among $y friends|$x $many are put into $y $holders}, the same number {for|in} each. How many {does each get|are in each}?",
                        "$x / $y = $z.",
                        "" + each)
                : worked(
                        phrases,
                        "$a shares $x $many fairly among $y friends and keeps what is left. How many does $a keep?",
                        "$y * $z = $even. $x - $even = $left.",
                        "" + left);
    }

    private static String comparing(Draws draws, Phrases phrases) {
        int first = draws.between(3, 25);
        int more = draws.between(2, 15);
        phrases.bind("x", first).bind("y", more).bind("z", first + more).bind("all", 2 * first + more);
        return draws.chance(0.5)
                ? worked(
                        phrases,
                        "$a has $x $many. $b has $y more than $a. How many do they have together?",
                        "$x + $y = $z. $x + $z = $all.",
                        "" + (2 * first + more))
                : worked(
                        phrases,
                        "$a has $z $many and $b has $x. How many more $many does $a have than $b?",
                        "$z - $x = $y.",
                        "" + more);
    }

    private static String walking(Draws draws, Phrases phrases) {
        int speed = draws.between(2, 6);
        int hours = draws.between(2, 6);
        int before = draws.between(1, 9);
        int walked = speed * hours;
        phrases.bind("x", speed)
                .bind("y", hours)
                .bind("z", before)
                .bind("walked", walked)
                .bind("all", walked + before);
        return worked(
                phrases,
                "$a {has already walked|walked} $z kilometers. Then $he walks $x kilometers {an hour|every hour} for $y hours{ to $place|}. How many kilometers {is that in all|does $a walk in all}?",
                "$x * $y = $walked. $walked + $z = $all.",
                "" + (walked + before));
    }

    private static String buying(Draws draws, Phrases phrases) {
        int price = draws.between(2, 7);
        int number = draws.between(2, 7);
        int cost = price * number;
        int paid = cost + draws.between(1, 20);
        phrases.bind("x", price)
                .bind("y", number)
                .bind("cost", cost)
                .bind("paid", paid)
                .bind("change", paid - cost);
        return worked(
                phrases,
                "{One $one costs $x coins.|The price of one $one is $x coins.} $a buys $y and pays with $paid coins. How many coins does $a get back?",
                "$x * $y = $cost. $paid - $cost = $change.",
                "" + (paid - cost));
    }

    private static String growing(Draws draws, Phrases phrases) {
        int start = draws.between(10, 60);
        int growth = draws.between(2, 8);
        int years = draws.between(2, 7);
        int grown = growth * years;
        phrases.bind("plant", draws.pick(World.PLANTS).name())
                .bind("x", start)
                .bind("y", growth)
                .bind("z", years)
                .bind("grown", grown)
                .bind("end", start + grown);
        return worked(
                phrases,
                "A {young|small} $plant {at $place |}is $x centimeters high. It grows $y centimeters {a year|every year}. How high is it after $z years?",
                "$y * $z = $grown. $x + $grown = $end.",
                "" + (start + grown));
    }
}

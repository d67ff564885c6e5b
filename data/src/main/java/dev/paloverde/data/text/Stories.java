package dev.paloverde.data.text;

import dev.paloverde.data.text.World.Animal;
import dev.paloverde.data.text.World.Name;
import dev.paloverde.data.text.World.Place;
import dev.paloverde.data.text.World.Plant;
import java.util.ArrayList;
import java.util.List;

/**
 * A small simulation told as a story. The hero has a nature, a wish and a place to go; hours pass, the weather turns,
 * strength is spent on hindrances, and how it ends depends on what is left of both.
 */
final class Stories implements TextSource.Author {
    private record Wish(String wants, String because, String reached, String missed, String prize) {}

    private record Nature(String word, String shows, String lesson) {}

    private enum Sky {
        CLEAR,
        HOT,
        WINDY,
        CLOUDY,
        RAINY
    }

    private static final List<Nature> NATURES = List.of(
            new Nature(
                    "brave",
                    "$he was not afraid of the dark, and {not even|hardly} of thunder",
                    "it is good to be brave, but it is better not to be alone"),
            new Nature(
                    "careful",
                    "$he looked at every stone twice before $he stepped on it",
                    "slow steps also reach the end of the path"),
            new Nature(
                    "curious",
                    "$he asked a question about {everything|every leaf and every shadow}",
                    "a good question is the start of every good day"),
            new Nature(
                    "patient",
                    "$he could wait for a whole day without a word",
                    "the desert gives its gifts to those who wait"),
            new Nature(
                    "proud",
                    "$he liked to say that $he needed no help from anyone",
                    "it takes no strength away to ask for help"),
            new Nature(
                    "shy",
                    "$he hid {behind a leaf|in the shade} when strangers came by",
                    "a small hello can open a big door"),
            new Nature(
                    "kind",
                    "$he always {left some food|kept a place in the shade} for others",
                    "what you give away comes back to you"),
            new Nature(
                    "quick",
                    "$he had often arrived before $he knew where $he was going",
                    "it is better to look first and run later"),
            new Nature(
                    "stubborn",
                    "$he never turned back, not even from a wall",
                    "sometimes the way around is the shorter way"),
            new Nature(
                    "sleepy",
                    "$he could fall asleep {standing up|in the middle of a song}",
                    "a good rest is half of the work"));

    private static final List<String> TREASURES = List.of(
            "blue stone",
            "silver feather",
            "little bell",
            "tin cup",
            "red button",
            "white shell",
            "glass bead",
            "old key",
            "long ribbon");

    @Override
    public String write(Draws draws) {
        return new Telling(draws).tell();
    }

    private static final class Telling {
        private final Draws draws;
        private final Phrases phrases;
        private final List<String> paragraphs = new ArrayList<>();
        private final StringBuilder paragraph = new StringBuilder();
        private final Name hero;
        private final Name friend;
        private final Animal kin;
        private final Animal friendKin;
        private final Place home;
        private final Place goal;
        private final Nature nature;
        private final Plant shade;
        private final Wish wish;
        private int hour;
        private int strength = 4;
        private int toldPart = -1;
        private boolean helped;
        private Sky sky;

        Telling(Draws draws) {
            this.draws = draws;
            this.phrases = new Phrases(draws);
            List<Name> names = draws.some(World.NAMES, 2);
            List<Animal> animals = draws.some(World.ANIMALS, 2);
            List<Place> places = draws.some(World.PLACES, 2);
            hero = names.get(0);
            friend = names.get(1);
            kin = animals.get(0);
            friendKin = animals.get(1);
            home = places.get(0);
            goal = places.get(1);
            nature = draws.pick(NATURES);
            shade = draws.pick(World.PLANTS);
            sky = draws.pick(Sky.values());
            hour = kin.active().contains("night") || kin.active().contains("dusk") ? 18 : draws.between(6, 9);
            phrases.bind("hero", hero.name())
                    .bind("he", hero.he())
                    .bind("him", hero.him())
                    .bind("his", hero.his())
                    .bind("kin", kin.name())
                    .bind("kins", kin.plural())
                    .bind("moved", kin.moves())
                    .bind("food", kin.eats())
                    .bind("den", kin.home())
                    .bind("friend", friend.name())
                    .bind("fhe", friend.he())
                    .bind("fhim", friend.him())
                    .bind("fhis", friend.his())
                    .bind("fkin", friendKin.name())
                    .bind("fgift", friendKin.gift())
                    .bind("gift", kin.gift())
                    .bind("home", home.name())
                    .bind("hknown", home.known())
                    .bind("place", goal.name())
                    .bind("pknown", goal.known())
                    .bind("side", goal.side())
                    .bind("nature", nature.word())
                    .bind("shade", shade.name())
                    .bind("shades", shade.plural())
                    .bind("treasure", draws.pick(TREASURES));
            wish = wish();
        }

        private Wish wish() {
            List<Wish> wishes = new ArrayList<>();
            wishes.add(new Wish(
                    "{to find|to bring home} $his lost $treasure",
                    "$he had {dropped|left} it {somewhere near|at} $place {three days ago|in the last full moon|on the way home}",
                    "there, between two {stones|roots}, lay the $treasure. It was {dusty|wet}, but it was {whole|not broken}",
                    "the $treasure was nowhere to be seen",
                    "the $treasure"));
            wishes.add(new Wish(
                    "to visit $friend the $fkin, who lived at $place",
                    "$friend {was ill and could not leave $fhis bed|had a birthday and no guests|had not been seen for many days}",
                    "$friend {was sitting|sat waiting} in front of $fhis home. \"{You came all this way|You did not forget me}!\" $fhe said {and smiled|with bright eyes}",
                    "the home of $friend was empty, and there were no tracks in the sand",
                    "a visit to $friend"));
            wishes.add(new Wish(
                    "to see the great flowers of $place",
                    "everyone said that {they opened for one night only|nothing in the desert was more beautiful}",
                    "the flowers were open. They were {white as the moon|yellow as the sun|red as the evening}, and their smell filled the air",
                    "the flowers had already closed",
                    "the flowers"));
            wishes.add(new Wish(
                    "to carry a message to $friend the $fkin at $place",
                    "{a flood was coming down the wash|the old spring was dry|a big hunter was on the way}, and $friend did not know it",
                    "$friend listened {to every word|without moving}. \"Thank you,\" $fhe said. \"{Now we can all be safe|You saved us a bad night}\"",
                    "$friend had already gone, and nobody knew where",
                    "the message"));
            wishes.add(new Wish(
                    "to find a new home",
                    "{the rain had filled|a rock had closed|the wind had broken} the old one, and {the nights were cold|there was no room left}",
                    "$he found just what $he needed: $den. It was {dry and safe|small but very good}",
                    "every good place was already taken",
                    "a new home"));
            wishes.add(new Wish(
                    "to gather food for the {summer|winter|moon} feast",
                    "{all the families of $home would come|it was $his turn this year}, and there was almost nothing to eat",
                    "there was plenty of it: $food. $he {took only what $he could carry|filled the basket to the top}",
                    "others had been there first, and all the food was gone",
                    "food for the feast"));
            wishes.add(new Wish(
                    "to learn {the art of $fgift|a secret} from $friend the $fkin",
                    "nobody at $place was better at $fgift than $friend",
                    "$friend showed $him how it was done, {slowly, again and again|from the first step to the last}. By the end $he could do it {almost|nearly} as well as $fhis best pupil",
                    "$friend was asleep and could not be woken",
                    "the lesson"));
            wishes.add(new Wish(
                    "to know what made the strange {sound|light} at $place",
                    "it came back every {night|evening}, and nobody {dared to look|could sleep}",
                    "it was only {the wind in an old bottle|a loose door on an old mine|the moon in a piece of glass}. $hero laughed {until $his sides hurt|out loud}",
                    "everything was silent and dark, and $he found nothing",
                    "the answer"));
            if (!goal.water().startsWith("no")) {
                phrases.bind("water", goal.water());
                wishes.add(new Wish(
                        "to find {fresh|clean} water",
                        "the pool at home had {dried up|turned to mud} {in the heat|after many weeks without rain}",
                        "there it was: $water. $he drank until $he could drink no more",
                        "the water was gone, and only damp sand was left",
                        "the water"));
            }
            return draws.pick(wishes);
        }

        String tell() {
            opening();
            departure();
            int hindrances = draws.between(1, 3);
            List<Integer> kinds = draws.shuffled(List.of(0, 1, 2, 3, 4, 5, 6));
            for (int index = 0; index < hindrances; index++) {
                pass();
                hindrance(kinds.get(index));
            }
            arrival();
            return String.join("\n\n", paragraphs);
        }

        private void add(String pattern) {
            if (paragraph.length() > 0) {
                paragraph.append(' ');
            }
            paragraph.append(phrases.say(pattern));
        }

        private void close() {
            paragraphs.add(paragraph.toString());
            paragraph.setLength(0);
        }

        private void opening() {
            add("{{Once there was|There once was|At $home there lived} a {young|small|$nature|little} $kin named $hero."
                    + "|$hero was a {young|small|little} $kin who lived {at|near} $home."
                    + "|Near $home, {a place of|a land of} $hknown, lived a $kin called $hero.}");
            add("{$hero was $nature: " + nature.shows() + ".|everyone knew that $hero was $nature, for "
                    + nature.shows() + ".|no other $kin of $home was as $nature as $hero: " + nature.shows() + ".}");
            if (draws.chance(0.4)) {
                add("{$his home was $den.|$he slept in a safe place: $den.|$he liked to eat $food.}");
            }
            add("{one day|one morning in " + draws.pick(World.MONTHS) + "|that year|this time} $hero wanted "
                    + wish.wants() + ", because " + wish.because() + ".");
            close();
        }

        /** The time of day, said once; after that only that time passes. */
        private String time() {
            int part = hour < 10 ? 0 : hour < 13 ? 1 : hour < 17 ? 2 : hour < 20 ? 3 : 4;
            if (part == toldPart) {
                return draws.pick("soon", "a little later", "after a while", "not long after that");
            }
            toldPart = part;
            return switch (part) {
                case 0 -> draws.pick("early in the morning", "in the morning", "soon after sunrise");
                case 1 -> draws.pick("at noon", "in the middle of the day", "when the sun stood high");
                case 2 -> draws.pick("in the afternoon", "later that day", "when the shadows grew longer");
                case 3 -> draws.pick("at dusk", "in the evening", "when the sun went down");
                default -> draws.pick("in the night", "under the stars", "when the moon was up");
            };
        }

        private boolean dark() {
            return hour >= 20;
        }

        private void departure() {
            phrases.bind("time", time());
            add(
                    "{$time $he set out for $place.|so $hero left $home $time and went to the $side, to $place.|$he {said goodbye|packed a little food} and started for $place $time.}");
            add(
                    switch (sky) {
                        case CLEAR ->
                            "{the sky was clear|there was not a cloud in the sky|the air was still and clear}, and {the path was easy to see|far hills looked near}.";
                        case HOT ->
                            "{it was already hot|the ground was as hot as a stove}, and {there was little shade|the air shook over the stones}.";
                        case WINDY ->
                            "{the wind pulled at every bush|a strong wind was blowing}, and {sand was in the air|dry leaves rolled past}.";
                        case CLOUDY ->
                            "{gray clouds hung over the hills|big clouds were growing in the south}, and {the air smelled of rain|it was cool for the time of year}.";
                        case RAINY ->
                            "{a light rain was falling|it had rained, and more rain was coming}, and {the sand was dark and wet|every leaf was shining}.";
                    });
            add(
                    "$hero $moved {past|along} {the dry wash|a row of $shades|fields of stones|the old fence} {and did not stop|without a rest|and sang a little song}.");
            hour += draws.between(1, 2);
            strength -= sky == Sky.HOT ? 2 : 1;
            close();
        }

        /** Time passes and the weather follows its own rules. */
        private void pass() {
            hour += draws.between(1, 3);
            strength -= 1;
            if (draws.chance(0.5)) {
                Sky before = sky;
                sky = switch (sky) {
                    case CLEAR -> draws.pick(Sky.HOT, Sky.WINDY);
                    case HOT -> draws.pick(Sky.CLOUDY, Sky.WINDY);
                    case WINDY -> draws.pick(Sky.CLOUDY, Sky.CLEAR);
                    case CLOUDY -> draws.pick(Sky.RAINY, Sky.CLEAR);
                    case RAINY -> draws.pick(Sky.CLOUDY, Sky.CLEAR);
                };
                if (sky == Sky.HOT && dark()) {
                    sky = before;
                }
                if (sky != before) {
                    phrases.bind("time", time());
                    add(
                            switch (sky) {
                                case CLEAR -> "$time the {clouds were gone|sky turned clear}{ again|}.";
                                case HOT -> "$time it became {very hot|hotter and hotter}.";
                                case WINDY -> "$time a wind came up{ from the west|}.";
                                case CLOUDY -> "$time clouds covered the {sky|hills}.";
                                case RAINY -> "$time the rain began{, first a few drops, then many|}.";
                            });
                }
            }
        }

        private void hindrance(int kind) {
            switch (kind) {
                case 0 -> crossing();
                case 1 -> hunter();
                case 2 -> lostPath();
                case 3 -> stranger();
                case 4 -> thirst();
                case 5 -> thorns();
                default -> cliff();
            }
            close();
        }

        private void crossing() {
            boolean flood = sky == Sky.RAINY || sky == Sky.CLOUDY;
            add(
                    flood
                            ? "then $hero came to a wash full of {brown|fast} water. {Branches and stones rolled in it|It roared like a lion}."
                            : "then $hero came to a wide wash of {deep|soft} sand. {Every step sank in|It was hard to walk on}.");
            switch (nature.word()) {
                case "careful", "patient", "sleepy" ->
                    add("$he {sat down and waited|rested under a $shade} until "
                            + (flood ? "the water fell" : "the sand was cool")
                            + ", and then $he crossed without trouble.");
                case "quick", "brave", "stubborn", "proud" -> {
                    add(
                            "$he {did not wait|went straight in}. {Halfway over $he fell|In the middle $he lost a shoe of mud and all $his breath}, and $he reached the other side {tired and dirty|with shaking legs}.");
                    strength -= 2;
                }
                default ->
                    add(
                            "$he {walked along the bank|looked up and down} until $he found {a fallen trunk|a row of flat stones}, and on it $he came to the other side.");
            }
            hour += 1;
        }

        private void hunter() {
            phrases.bind("time", time());
            Animal hunter = draws.pick(
                                    kin.name().equals("bobcat")
                                            ? List.of("coyote", "great horned owl")
                                            : List.of("bobcat", "Harris hawk", "coyote"))
                            .equals("coyote")
                    ? World.ANIMALS.get(9)
                    : dark() ? World.ANIMALS.get(3) : World.ANIMALS.get(5);
            phrases.bind("hunter", hunter.name());
            if (hunter.name().equals(kin.name()) || hunter.name().equals(friendKin.name())) {
                add(
                        "$time a {loud noise|sudden shout} came from behind a rock. It was only {an old tin can in the wind|a loose stone}, but $his heart beat fast.");
                return;
            }
            add("$time a shadow {moved over the ground|fell on the path}. It was a {hungry|big|silent} $hunter.");
            switch (nature.word()) {
                case "brave", "proud", "stubborn" ->
                    add(
                            "$hero stood still and looked it in the eye. \"{I am not your dinner|I have no time to be eaten today},\" $he said. The $hunter was so surprised that it went away.");
                case "kind", "curious" ->
                    add(
                            "\"{Why are you so thin|Are you lost too}?\" asked $hero. The $hunter {sat down and told $him everything|had never been asked before}, and in the end it only wished $him a good journey.");
                default -> {
                    add(
                            "$hero hid under a $shade and {did not breathe|counted to one hundred}. The $hunter {passed by|looked twice and left}.");
                    strength -= 1;
                }
            }
        }

        private void lostPath() {
            add(
                    "the path {split in two|ended at a wall of stones}, and there was no sign. $hero did not know {which way to go|where $he was}.");
            if (nature.word().equals("proud") || nature.word().equals("shy")) {
                add(
                        "$he did not want to ask. So $he walked in a circle for {an hour|two hours} until $he saw $his own tracks in the sand.");
                hour += 2;
                strength -= 2;
                add(
                        "then at last $he asked {an old tortoise|a tiny ant|a sleepy toad}, who said: \"{Follow the morning shadow|Keep the hills on your left|Go where the birds go}.\"");
                helped = true;
            } else {
                add(
                        "$he {climbed on a rock and looked around|smelled the wind|looked for the sun}. {Far away|Behind a row of $shades} $he saw {two tall saguaros|the hill with the flat top}, and $he knew the way again.");
            }
        }

        private void stranger() {
            phrases.bind("time", time());
            Name other = draws.pick(World.NAMES);
            Animal otherKin = draws.pick(World.ANIMALS);
            if (other.name().equals(hero.name()) || other.name().equals(friend.name())) {
                add("for a long time $hero met nobody, and {the silence was good|only the wind spoke}.");
                return;
            }
            phrases.bind("other", other.name())
                    .bind("okin", otherKin.name())
                    .bind("ohe", other.he())
                    .bind("ohim", other.him())
                    .bind("ohis", other.his());
            add(
                    "$time $hero met a $okin named $other, who was {sitting beside the path|stuck under a branch|looking very sad}.");
            add(
                    "\"{What is wrong|Can I help you|Why do you sit here}?\" asked $hero. \"{I have lost my way|I am too tired to go on|I have eaten nothing since yesterday},\" said $other.");
            if (nature.word().equals("quick") || nature.word().equals("proud")) {
                add(
                        "$hero was in a hurry and {went on|only shook $his head}. But after a while $he felt bad and turned back, and together they went on.");
                hour += 1;
            } else {
                add(
                        "$hero {shared $his food|gave $ohim water and a hand} and {waited until $ohe felt better|showed $ohim the way}.");
            }
            add(
                    "\"{I will not forget this|You are a true friend},\" said $other. \"{Take the low path, it is shorter|There is shade behind the next hill|Look for the green tree}.\"");
            helped = true;
            strength += 1;
        }

        private void thirst() {
            phrases.bind("time", time());
            add(
                    dark()
                            ? "$time it became cold, and $hero {shook from head to foot|could not feel $his feet}."
                            : "$time $hero was {very thirsty|hot and thirsty}. {$his mouth was dry as sand|Every step was harder than the last}.");
            add(
                    dark()
                            ? "$he found a warm rock that had kept the heat of the day, and rested {beside|against} it until $his strength came back."
                            : "in the shade of a $shade $he {found a few drops on a leaf|sat down and closed $his eyes} and waited until $he felt better.");
            strength += 1;
            hour += 1;
        }

        private void thorns() {
            add(
                    "there was a {thick|wide} field of cholla, and {thorns stuck out on every side|no way led around it}. Soon a joint of it {hung on $his back|held $his leg}.");
            if (nature.word().equals("careful") || nature.word().equals("patient")) {
                add(
                        "$he took out the thorns one by one, {without a sound|very slowly}, and found a narrow gap between the plants.");
            } else {
                add(
                        "\"Ouch!\" cried $hero. {It took a long time to get free|$he pulled, and that made it worse}. In the end $he used a {flat stone|dry stick} to push it off.");
                strength -= 1;
                hour += 1;
            }
        }

        private void cliff() {
            phrases.bind("time", time());
            add(
                    "$time $hero stood {at the foot of|below} a {high|steep} rock. {The way went over it|There was no other way}.");
            if (kin.moves().equals("flew") || kin.moves().equals("climbed")) {
                add(
                        "that was easy for a $kin: $he $moved {to the top|up and over} and {looked back only once|took a deep breath}.");
            } else {
                add(
                        "{$he tried it three times and fell three times|The first try failed, and the second too}. {Then $he saw a crack that led up like a stair|Then $he piled up stones and stood on them}, and $he reached the top.");
                strength -= 1;
            }
        }

        private void arrival() {
            hour += 1;
            phrases.bind("time", time());
            boolean reached = strength >= 0 || helped && strength >= -2;
            add(
                    "{$time $he came to $place.|at last $hero saw $place in front of $him{, with its $pknown|}.|$time the long way was over, and $hero was at $place.}");
            if (reached) {
                add(wish.reached() + ".");
                if (draws.chance(0.5)) {
                    add("{$hero had never been so happy|$his heart was light|It was worth every step}.");
                }
            } else {
                add(
                        "but " + wish.missed()
                                + ". {$hero sat down and cried a little|$he was too tired to be sad|\"I came too late,\" said $hero}.");
                add(
                        "{then $he looked up and saw|but then there were} {the first stars|a thousand stars}, and {the night was kind|$he slept until the sun came}.");
                add("{in the morning everything looked better. $hero tried once more, and this time "
                        + wish.reached().replaceFirst("^there, ", "")
                        + ".|\"Tomorrow is a new day,\" $he said, {and went home|and turned around}. {A week later|The next day} $he tried again and got "
                        + wish.prize() + " after all.}");
            }
            close();
            add(
                    "{$hero went home {the next day|with a song|by the short way}|when $hero was back at $home, $he told the story {to everyone|three times|to all the young $kins}|since that day $hero {and "
                            + (helped ? "all $his new friends" : "$his family")
                            + " often talk|often talks} about the journey}. {And what did $he learn? That|$he had learned that|\"Now I know,\" $he said, \"that} "
                            + nature.lesson() + "{.|.}");
            String last = paragraph.toString();
            int opened = last.lastIndexOf("\"that ");
            if (opened >= 0 && last.endsWith(".")) {
                paragraph.append('"');
            }
            close();
        }
    }
}

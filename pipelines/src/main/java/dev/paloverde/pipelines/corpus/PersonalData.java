package dev.paloverde.pipelines.corpus;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Puts placeholders for e-mail addresses, public IP addresses and telephone numbers, those of Dolma (Soldaini et al.,
 * "Dolma: an Open Corpus of Three Trillion Tokens", 2024, section 5.1.3): {@code |||EMAIL_ADDRESS|||},
 * {@code |||IP_ADDRESS|||}, {@code |||PHONE_NUMBER|||}. Telephone numbers are found in the form of North America only, as
 * there. Every quantifier is bounded and every match begins where a run of its characters begins, so the time is linear
 * in the text.
 */
public final class PersonalData {
    /** What stands for an e-mail address. */
    public static final String EMAIL_ADDRESS = "|||EMAIL_ADDRESS|||";

    /** What stands for an IP address. */
    public static final String IP_ADDRESS = "|||IP_ADDRESS|||";

    /** What stands for a telephone number. */
    public static final String PHONE_NUMBER = "|||PHONE_NUMBER|||";

    // lengths: RFC 5321, section 4.5.3.1, and RFC 1035, section 2.3.4
    private static final Pattern EMAIL = Pattern.compile("(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}+@"
            + "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])");

    private static final String OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    private static final Pattern IPV4 =
            Pattern.compile("(?<![0-9A-Za-z.])(?:" + OCTET + "\\.){3}" + OCTET + "(?![0-9A-Za-z]|\\.[0-9])");
    private static final Pattern IPV6 = Pattern.compile("(?<![0-9A-Za-z:.])[0-9A-Fa-f:]{6,39}+(?![0-9A-Za-z:])");

    private static final Pattern PHONE = Pattern.compile(
            "(?<![^\\s(:])(?:\\+?1[-. ]?)?\\(?[0-9]{3}\\)?[-. ]{0,3}[0-9]{3}[-. ]?[0-9]{4}(?![0-9A-Za-z])");

    private static final int LEAST_GROUPS = 3;

    private PersonalData() {}

    /** {@return the text with placeholders} */
    public static String mask(String text) {
        String masked = text;
        if (masked.indexOf('@') >= 0) {
            masked = EMAIL.matcher(masked).replaceAll(match -> EMAIL_ADDRESS);
        }
        masked = IPV4.matcher(masked).replaceAll(match -> isPublic(match.group()) ? IP_ADDRESS : match.group());
        if (masked.indexOf(':') >= 0) {
            masked = IPV6.matcher(masked).replaceAll(PersonalData::maskIpv6);
        }
        return PHONE.matcher(masked).replaceAll(match -> PHONE_NUMBER);
    }

    private static String maskIpv6(MatchResult match) {
        String found = match.group();
        long groups = Pattern.compile(":")
                .splitAsStream(found)
                .filter(group -> !group.isEmpty())
                .count();
        // a::b is an address as well as C++; with so few groups it is left
        return groups >= LEAST_GROUPS && found.indexOf(':') >= 0 && isPublic(found) ? IP_ADDRESS : found;
    }

    private static boolean isPublic(String literal) {
        try {
            // a literal is never looked up
            InetAddress address = InetAddress.getByName(literal);
            return !(address.isSiteLocalAddress()
                    || address.isLoopbackAddress()
                    || address.isLinkLocalAddress()
                    || address.isMulticastAddress()
                    || address.isAnyLocalAddress());
        } catch (UnknownHostException e) {
            return false;
        }
    }
}

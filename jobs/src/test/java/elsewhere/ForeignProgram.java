package elsewhere;

import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Somebody's program, which knows Spark and nothing of Paloverde: runs the SQL statements that it is given and prints
 * their rows.
 */
public final class ForeignProgram {
    private ForeignProgram() {}

    public static void main(String[] statements) {
        SparkSession spark = SparkSession.builder().getOrCreate();
        for (String statement : statements) {
            for (Row row : spark.sql(statement).collectAsList()) {
                System.out.println("row: " + row.mkString(" | "));
            }
        }
        spark.stop();
    }
}

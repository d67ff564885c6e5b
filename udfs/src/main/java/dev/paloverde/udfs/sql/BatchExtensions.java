package dev.paloverde.udfs.sql;

import dev.paloverde.udfs.Setting;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.errors.QueryCompilationErrors;
import org.apache.spark.sql.internal.SQLConf;
import scala.Function1;
import scala.Tuple3;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** An extension of Spark sessions by functions over batches; a subclass names the functions. */
public abstract class BatchExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
    private final List<BatchFunctionFactory> factories;

    /** An extension by these functions. */
    protected BatchExtensions(List<? extends BatchFunctionFactory> factories) {
        this.factories = List.copyOf(factories);
    }

    @Override
    public BoxedUnit apply(SparkSessionExtensions extensions) {
        for (BatchFunctionFactory factory : factories) {
            extensions.injectFunction(new Tuple3<>(
                    new FunctionIdentifier(factory.name()), info(factory), builder(factory, BatchCall.State.UNBOUND)));
        }
        extensions.injectPlanNormalizationRule(session -> new ExtractCalls());
        extensions.injectOptimizerRule(session -> new ExtractCalls());
        extensions.injectOptimizerRule(session -> new OptimizeCalls());
        extensions.injectPreCBORule(session -> new KeepResults());
        extensions.injectPlannerStrategy(session -> new BatchStrategy());
        return BoxedUnit.UNIT;
    }

    static ExpressionInfo info(BatchFunctionFactory factory) {
        return new ExpressionInfo(
                BatchCall.class.getName(),
                null,
                factory.name(),
                factory.usage(),
                "\n    Arguments:\n      " + factory.details().strip().replace("\n", "\n      ") + "\n  ");
    }

    static Function1<Seq<Expression>, Expression> builder(BatchFunctionFactory factory, BatchCall.State state) {
        return Scala.function(given -> {
            int required = factory.arguments().size();
            if (given.size() != required && given.size() != required + 1) {
                throw unchecked(QueryCompilationErrors.wrongNumArgsError(
                        factory.name(), Scala.seq(List.<Object>of(required, required + 1)), given.size(), "", "", ""));
            }
            return BatchCall.unbound(factory, session(), state, new ArrayList<>(Scala.<Expression>list(given)));
        });
    }

    private static RuntimeException unchecked(Throwable error) {
        BatchExtensions.<RuntimeException>sneak(error);
        return null;
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void sneak(Throwable error) throws E {
        throw (E) error;
    }

    /** {@return what the session that analyses now says of Paloverde} */
    private static Map<String, String> session() {
        return session(SQLConf.get());
    }

    static Map<String, String> session(SparkSession session) {
        return session(session.sessionState().conf());
    }

    private static Map<String, String> session(SQLConf configuration) {
        TreeMap<String, String> found = new TreeMap<>();
        Scala.map(configuration.getAllConfs()).forEach((key, value) -> {
            if (key.startsWith(Setting.PREFIX)) {
                found.put(key, value);
            }
        });
        return found;
    }
}

package dev.paloverde.udfs.sql;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.arrow.BatchFunction;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.spark.sql.catalyst.CatalystTypeConverters;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ImplicitCastInputTypes;
import org.apache.spark.sql.catalyst.expressions.Unevaluable;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.internal.types.AbstractArrayType;
import org.apache.spark.sql.internal.types.StringTypeWithCollation;
import org.apache.spark.sql.types.AbstractDataType;
import org.apache.spark.sql.types.AnyDataType$;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.TypeCollection;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * A call of a function that runs on batches. It is never evaluated where it stands: {@link ExtractCalls} moves it into a
 * {@link BatchEval} below, and the struct of its result takes its place.
 *
 * <p>Born unbound, as the analyser makes it: its children are the arguments and perhaps the constant map of options.
 * Bound when it is moved: its children are the arguments alone, and the condition under which a row asks for it, if
 * there is one.
 */
public final class BatchCall extends Expression implements ImplicitCastInputTypes, Unevaluable, Serializable {
    private static final long serialVersionUID = 1L;

    /** Where a call is in its life. */
    enum State {
        /** As the analyser made it. */
        UNBOUND,
        /** As the analyser made it, in a session whose optimiser might evaluate it twice. */
        PINNED,
        /** Options are known. */
        BOUND,
        /** Options are known; the last child says whether a row asks for it. */
        GUARDED
    }

    private final BatchFunctionFactory factory;
    private final Map<String, String> session;
    private final Map<String, String> options;
    private final State state;
    private final Seq<Expression> children;
    private transient BatchFunction function;
    private transient String mistake;

    private BatchCall(
            BatchFunctionFactory factory,
            Map<String, String> session,
            Map<String, String> options,
            State state,
            Seq<Expression> children) {
        this.factory = factory;
        this.session = session;
        this.options = options;
        this.state = state;
        this.children = children;
    }

    static BatchCall unbound(
            BatchFunctionFactory factory, Map<String, String> session, State state, List<Expression> arguments) {
        return new BatchCall(factory, new TreeMap<>(session), Map.of(), state, Scala.seq(arguments));
    }

    /** A call whose options are known as they are, not as an expression. */
    static BatchCall of(
            BatchFunctionFactory factory,
            Map<String, String> options,
            Map<String, String> session,
            State state,
            List<Expression> arguments) {
        return new BatchCall(factory, new TreeMap<>(session), new TreeMap<>(options), state, Scala.seq(arguments));
    }

    private boolean isBound() {
        return state == State.BOUND || state == State.GUARDED;
    }

    /** {@return the same call with its options read; resolved calls only} */
    BatchCall bind() {
        if (isBound()) {
            return this;
        }
        List<Expression> arguments = Scala.<Expression>list(children)
                .subList(0, factory.arguments().size())
                .stream()
                .map(each -> each.dataType() instanceof BinaryType
                        ? new Cast(each, DataTypes.StringType, Option.empty())
                        : each)
                .toList();
        return new BatchCall(factory, session, readOptions(), State.BOUND, Scala.seq(arguments));
    }

    /** {@return the same bound call, asked for only where the condition is true} */
    BatchCall when(Expression condition) {
        BatchCall bound = bind();
        List<Expression> guarded = new ArrayList<>(bound.arguments());
        guarded.add(condition);
        return new BatchCall(factory, session, bound.options, State.GUARDED, Scala.seq(guarded));
    }

    /** {@return the same call, asked for by every row} */
    BatchCall always() {
        return state == State.GUARDED
                ? new BatchCall(factory, session, options, State.BOUND, Scala.seq(arguments()))
                : this;
    }

    /** {@return the arguments of a bound call} */
    List<Expression> arguments() {
        return Scala.<Expression>list(children).subList(0, factory.arguments().size());
    }

    /** {@return the condition under which a row asks for it; null for always} */
    Expression guard() {
        return state == State.GUARDED ? children.last() : null;
    }

    /** {@return what to run} */
    BatchFunction function() {
        if (function == null) {
            function = factory.create(readOptions(), session);
        }
        return function;
    }

    BatchFunctionFactory factory() {
        return factory;
    }

    private Map<String, String> readOptions() {
        if (isBound() || children.size() == factory.arguments().size()) {
            return options;
        }
        Expression map = children.last();
        Object value = CatalystTypeConverters.convertToScala(map.eval(null), map.dataType());
        TreeMap<String, String> read = new TreeMap<>();
        if (value != null) {
            scala.jdk.javaapi.CollectionConverters.asJava((scala.collection.Map<?, ?>) value)
                    .forEach((key, each) -> read.put(String.valueOf(key), each == null ? null : each.toString()));
        }
        return read;
    }

    @Override
    public TypeCheckResult checkInputDataTypes() {
        TypeCheckResult types = ImplicitCastInputTypes.super.checkInputDataTypes();
        if (!types.isSuccess() || isBound()) {
            return types;
        }
        if (mistake == null) {
            mistake = findMistake();
        }
        return mistake.isEmpty() ? types : new TypeCheckResult.TypeCheckFailure(mistake);
    }

    private String findMistake() {
        if (children.size() > factory.arguments().size()) {
            Expression map = children.last();
            if (!(map.dataType() instanceof MapType)) {
                return "the options of %s are %s; they must be a map, map('max-tokens', '64') for instance"
                        .formatted(factory.name(), map.dataType().sql());
            }
            if (!map.foldable()) {
                return "the options of %s are %s, which is not constant; they must be the same for every row"
                        .formatted(factory.name(), map.sql());
            }
        }
        try {
            function();
            return "";
        } catch (PaloverdeException e) {
            return e.code() + ": " + e.getMessage();
        } catch (RuntimeException e) {
            // the map itself fails to evaluate: a key twice, for instance
            return "the options of %s cannot be read: %s".formatted(factory.name(), e.getMessage());
        }
    }

    @Override
    public Seq<AbstractDataType> inputTypes() {
        AbstractDataType text = StringTypeWithCollation.apply(true, true, true);
        List<AbstractDataType> types = new ArrayList<>();
        for (BatchFunctionFactory.Argument argument : factory.arguments()) {
            types.add(
                    switch (argument) {
                        case TEXT -> TypeCollection.apply(Scala.seq(List.of(text, DataTypes.BinaryType)));
                        case TEXTS -> AbstractArrayType.apply(text);
                    });
        }
        while (types.size() < children.size()) {
            types.add(AnyDataType$.MODULE$);
        }
        return Scala.seq(types);
    }

    @Override
    public Seq<Expression> children() {
        return children;
    }

    @Override
    public Expression withNewChildrenInternal(IndexedSeq<Expression> changed) {
        return new BatchCall(factory, session, options, state, changed);
    }

    @Override
    public DataType dataType() {
        return function().output();
    }

    @Override
    public boolean nullable() {
        return state == State.GUARDED;
    }

    @Override
    public boolean deterministic() {
        return state != State.PINNED && super.deterministic();
    }

    @Override
    public boolean foldable() {
        return false;
    }

    @Override
    public Object eval(InternalRow row) {
        throw misplaced();
    }

    @Override
    public ExprCode doGenCode(CodegenContext context, ExprCode code) {
        throw misplaced();
    }

    private IllegalStateException misplaced() {
        return new IllegalStateException(
                "%s was left where it cannot run; are the rules of PaloverdeExtensions in spark.sql.extensions?"
                        .formatted(sql()));
    }

    @Override
    public String prettyName() {
        return factory.name();
    }

    @Override
    public String toString() {
        String text = children.mkString(factory.name() + "(", ", ", "");
        return text + (options.isEmpty() ? ")" : ", " + options + ")");
    }

    @Override
    public Object productElement(int index) {
        return switch (index) {
            case 0 -> factory.name();
            case 1 -> options;
            case 2 -> children;
            default -> throw new IndexOutOfBoundsException(index);
        };
    }

    @Override
    public int productArity() {
        return 3;
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof BatchCall;
    }

    @Override
    public boolean equals(Object other) {
        return this == other
                || other instanceof BatchCall call
                        && call.factory.name().equals(factory.name())
                        && call.state == state
                        && call.options.equals(options)
                        && call.session.equals(session)
                        && call.children.equals(children);
    }

    @Override
    public int hashCode() {
        return Objects.hash(factory.name(), options, children);
    }
}

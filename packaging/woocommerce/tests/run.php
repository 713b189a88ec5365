<?php
/**
 * Tests of the plugin over a real database: `TILLSYNC_TEST_MARIADB=user:password@host:port php run.php`.
 * Makes a database of its own and drops it. Prints a line for each test; exit code 1 if one fails.
 *
 * @package tillsync-stock
 */

require __DIR__ . '/stub.php';
$includes = __DIR__ . '/../tillsync-stock/includes/';
require $includes . 'class-tillsync-operations.php';
require $includes . 'class-tillsync-stock.php';
require $includes . 'class-tillsync-rest.php';

mysqli_report( MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT );
if ( ! preg_match( '/^([^:]+):(.*)@([^:@]+):(\d+)$/', (string) getenv( 'TILLSYNC_TEST_MARIADB' ), $place ) ) {
	fwrite( STDERR, "TILLSYNC_TEST_MARIADB must be user:password@host:port\n" );
	exit( 2 );
}
$name = 'tillsync_plugin_' . getmypid();

/** A connection of its own. */
function link_up( array $place, $name = null ) {
	return new mysqli( $place[3], $place[1], $place[2], $name, (int) $place[4] );
}

$admin = link_up( $place );
$admin->query( "CREATE DATABASE $name" );
register_shutdown_function(
	function () use ( $place, $name ) {
		link_up( $place )->query( "DROP DATABASE IF EXISTS $name" );
	}
);
$wpdb = new Test_Db( link_up( $place, $name ) );
$wpdb->query( 'CREATE TABLE wp_postmeta (meta_id BIGINT AUTO_INCREMENT PRIMARY KEY, post_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT, KEY (post_id), KEY (meta_key)) ENGINE=InnoDB' );
Tillsync_Operations::install();

/** A fresh shop: 7 and 8 keep numbers, 9 keeps none, 35 is a variation of 7. */
function shop() {
	global $wpdb;
	$wpdb->query( 'DELETE FROM wp_postmeta' );
	$wpdb->query( 'DELETE FROM wp_tillsync_operation' );
	$GLOBALS['test_synced']   = array();
	$GLOBALS['test_may']      = true;
	$GLOBALS['test_products'] = array(
		7  => new Test_Product( true, 7 ),
		8  => new Test_Product( true, 8 ),
		9  => new Test_Product( false, 9 ),
		35 => new Test_Product( true, 7 ),
	);
	add_post_meta( 7, '_stock', '10.000000', true );
	add_post_meta( 8, '_stock', '4', true );
}
function stock( $id ) {
	global $wpdb;
	$value = $wpdb->get_var( "SELECT meta_value FROM wp_postmeta WHERE post_id = $id AND meta_key = '_stock'" );
	return null === $value ? null : (int) $value;
}
function marker( $id ) {
	global $wpdb;
	return $wpdb->get_col( "SELECT meta_value FROM wp_postmeta WHERE post_id = $id AND meta_key = '_tillsync_op_s1'" );
}
function send( $key, array $rows, $marker = '_tillsync_op_s1' ) {
	return Tillsync_Rest::stock( new Test_Request( array( 'key' => $key, 'marker' => $marker, 'rows' => $rows ) ) );
}
function delta( $id, $product, $delta ) {
	return array( 'id' => $id, 'product' => $product, 'delta' => $delta );
}
function statuses( $answer ) {
	return is_array( $answer ) ? array_column( $answer['rows'], 'status' ) : $answer->code;
}
function same( $found, $wanted, $what ) {
	if ( $found !== $wanted ) {
		throw new Exception( "$what: " . var_export( $found, true ) . ' instead of ' . var_export( $wanted, true ) );
	}
}

$tests = array(
	'a key is carried out once and answered alike' => function () {
		$rows = array( delta( 'a', 8, -1 ), delta( 'b', 7, -3 ) );
		$once = send( 'k1', $rows );
		same( statuses( $once ), array( 'applied', 'applied' ), 'first' );
		$again = send( 'k1', $rows );
		same( array( $again['replayed'], $again['rows'] ), array( true, $once['rows'] ), 'again' );
		same( array( stock( 7 ), stock( 8 ) ), array( 7, 3 ), 'stock' );
		same( array( marker( 7 ), marker( 8 ) ), array( array( 'k1' ), array( 'k1' ) ), 'markers' );
	},
	'what hooks missed after a broken request comes with its repetition' => function () {
		send( 'k1', array( delta( 'a', 7, -1 ) ) );
		send( 'k1', array( delta( 'a', 7, -1 ) ) );
		same( $GLOBALS['test_synced'], array( array( 7, 0, 'increase' ), array( 7, 0, 'increase' ) ), 'synced' );
	},
	'rows that cannot be are refused one by one' => function () {
		$answer = send( 'k1', array( delta( 'a', 9, -1 ), delta( 'b', 35, -1 ), delta( 'c', 99, -1 ), delta( 'd', 8, -1 ) ) );
		same( array_column( $answer['rows'], 'code' ), array( 'not_managed', 'managed_by_parent', 'unknown_product' ), 'codes' );
		same( array( stock( 7 ), stock( 8 ), stock( 9 ) ), array( 10, 3, null ), 'stock' );
		same( marker( 9 ), array(), 'a refused row leaves no marker' );
	},
	'shops that count fractions keep them' => function () {
		global $wpdb;
		$wpdb->query( "UPDATE wp_postmeta SET meta_value = '2.5' WHERE post_id = 7" );
		same( send( 'k1', array( delta( 'a', 7, -1 ) ) )['rows'][0]['stock'], 1.5, 'stock' );
	},
	'two rows of one product are both counted' => function () {
		send( 'k1', array( delta( 'a', 7, -1 ), delta( 'b', 7, -2 ) ) );
		same( array( stock( 7 ), marker( 7 ) ), array( 7, array( 'k1' ) ), 'stock and marker' );
	},
	'other rows under a known key are refused' => function () {
		send( 'k1', array( delta( 'a', 7, -1 ) ) );
		same( statuses( send( 'k1', array( delta( 'a', 7, -2 ) ) ) ), 'tillsync_key_reused', 'code' );
		same( stock( 7 ), 9, 'stock' );
	},
	'numbers are set together or not at all' => function () {
		$set = function ( $key, $expect ) {
			return send( $key, array( array( 'id' => 'a', 'product' => 7, 'set' => 8, 'expect' => 10 ), array( 'id' => 'b', 'product' => 8, 'set' => 9, 'expect' => $expect ) ) );
		};
		$stale = $set( 'k1', 5 );
		same( array( $stale['stale'], statuses( $stale ) ), array( true, array( 'untouched', 'stale' ) ), 'stale' );
		same( array( stock( 7 ), stock( 8 ), marker( 7 ) ), array( 10, 4, array() ), 'nothing' );
		same( $set( 'k1', 5 )['replayed'], true, 'the refusal is remembered' );
		same( statuses( $set( 'k2', 4 ) ), array( 'applied', 'applied' ), 'fits' );
		same( array( stock( 7 ), stock( 8 ) ), array( 8, 9 ), 'set' );
	},
	'a key that was asked about in vain is closed' => function () {
		$ask = function () {
			return Tillsync_Rest::outcome( new Test_Request( array( 'key' => 'k1' ) ) );
		};
		same( $ask()['known'], false, 'unknown' );
		same( statuses( send( 'k1', array( delta( 'a', 7, -1 ) ) ) ), 'tillsync_key_closed', 'late' );
		same( array( $ask()['known'], stock( 7 ) ), array( false, 10 ), 'still' );
	},
	'a key that was carried out is told about' => function () {
		$sent = send( 'k1', array( delta( 'a', 7, -1 ), delta( 'b', 9, -1 ) ) );
		$told = Tillsync_Rest::outcome( new Test_Request( array( 'key' => 'k1' ) ) );
		same( array( $told['known'], $told['rows'] ), array( true, $sent['rows'] ), 'outcome' );
	},
	'nothing is guessed' => function () {
		$good = delta( 'a', 7, -1 );
		$bad  = array(
			array( 'delta' => 'abc' ) + $good,
			array( 'delta' => '1' ) + $good,
			array( 'delta' => 1.5 ) + $good,
			array( 'delta' => null ) + $good,
			array( 'delta' => 2000000000 ) + $good,
			array( 'product' => '7' ) + $good,
			array( 'product' => 0 ) + $good,
			array( 'id' => "a\n" ) + $good,
			array( 'id' => 'a', 'product' => 7, 'set' => 3 ),
			$good + array( 'set' => 3, 'expect' => 4 ),
			'a row',
		);
		foreach ( $bad as $at => $row ) {
			same( statuses( send( 'k1', array( $row ) ) ), 'tillsync_invalid', "row $at" );
		}
		same( statuses( send( 'k 1', array( $good ) ) ), 'tillsync_invalid', 'key' );
		same( statuses( send( 'k1', array( $good ), '_price' ) ), 'tillsync_invalid', 'a marker that is something else' );
		same( statuses( send( 'k1', array() ) ), 'tillsync_invalid', 'no rows' );
		same( statuses( send( 'k1', array_fill( 0, 101, $good ) ) ), 'tillsync_too_large', 'too many' );
		same( stock( 7 ), 10, 'stock' );
	},
	'a request under the same key waits for the first' => function () use ( $place, $name ) {
		global $wpdb;
		$other = link_up( $place, $name );
		$other->query( 'START TRANSACTION' );
		$other->query( "INSERT INTO wp_tillsync_operation VALUES ('k1', 'x', 'done', '{\"stale\":false,\"rows\":[]}', NOW())" );
		$wpdb->query( 'SET SESSION innodb_lock_wait_timeout = 1' );
		same( statuses( send( 'k1', array( delta( 'a', 7, -1 ) ) ) ), 'tillsync_busy', 'while it runs' );
		same( stock( 7 ), 10, 'nothing was changed' );
		$other->query( 'ROLLBACK' );
		same( statuses( send( 'k1', array( delta( 'a', 7, -1 ) ) ) ), array( 'applied' ), 'after it was given up' );
	},
	'an order that holds the number is waited for' => function () use ( $place, $name ) {
		global $wpdb;
		$other = link_up( $place, $name );
		$other->query( 'START TRANSACTION' );
		$other->query( "UPDATE wp_postmeta SET meta_value = meta_value - 2 WHERE post_id = 7 AND meta_key = '_stock'" );
		$wpdb->query( 'SET SESSION innodb_lock_wait_timeout = 1' );
		same( statuses( send( 'k1', array( delta( 'a', 7, -1 ) ) ) ), 'tillsync_busy', 'while it runs' );
		$other->query( 'COMMIT' );
		send( 'k1', array( delta( 'a', 7, -1 ) ) );
		same( stock( 7 ), 7, 'both are counted' );
	},
	'old keys are forgotten, young ones are not' => function () {
		global $wpdb;
		send( 'old', array( delta( 'a', 7, -1 ) ) );
		send( 'young', array( delta( 'a', 7, -1 ) ) );
		$wpdb->query( "UPDATE wp_tillsync_operation SET created = created - INTERVAL 61 DAY WHERE op_key = 'old'" );
		Tillsync_Operations::prune();
		same( $wpdb->get_col( 'SELECT op_key FROM wp_tillsync_operation' ), array( 'young' ), 'kept' );
	},
	'who may not edit is not let in' => function () {
		$GLOBALS['test_may'] = 'edit_others_products';
		same( array( Tillsync_Rest::may(), send( 'k1', array( delta( 'a', 7, -1 ) ) )['rows'][0]['code'] ), array( true, 'forbidden' ), 'one product' );
		$GLOBALS['test_may'] = false;
		same( array( Tillsync_Rest::may(), stock( 7 ) ), array( false, 10 ), 'nobody' );
	},
	'tables without transactions are refused' => function () {
		global $wpdb;
		$wpdb->query( 'ALTER TABLE wp_postmeta ENGINE=MyISAM' );
		same( array( Tillsync_Rest::info()['transactional'], statuses( send( 'k1', array( delta( 'a', 7, -1 ) ) ) ) ), array( false, 'tillsync_unsafe_tables' ), 'MyISAM' );
		$wpdb->query( 'ALTER TABLE wp_postmeta ENGINE=InnoDB' );
		same( Tillsync_Rest::info()['transactional'], true, 'InnoDB' );
	},
	'uninstalling leaves nothing' => function () {
		global $wpdb;
		Tillsync_Operations::uninstall();
		same( $wpdb->get_col( "SHOW TABLES LIKE 'wp_tillsync%'" ), array(), 'tables' );
		Tillsync_Operations::upgrade();
		same( $wpdb->get_col( "SHOW TABLES LIKE 'wp_tillsync%'" ), array( 'wp_tillsync_operation' ), 'made again' );
	},
);

$failed = 0;
foreach ( $tests as $what => $test ) {
	shop();
	try {
		$test();
		echo "ok   $what\n";
	} catch ( Throwable $e ) {
		++$failed;
		echo "FAIL $what: {$e->getMessage()}\n";
	}
}
exit( 0 === $failed ? 0 : 1 );

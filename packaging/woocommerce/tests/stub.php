<?php
/**
 * The few functions of WordPress and WooCommerce that the plugin calls, over a real MariaDB or MySQL. Written for these tests;
 * what they do not need is not there.
 *
 * @package tillsync-stock
 */

define( 'ABSPATH', __DIR__ . '/' );
define( 'HOUR_IN_SECONDS', 3600 );
define( 'DAY_IN_SECONDS', 86400 );
define( 'WC_VERSION', '11.0.1' );

/** A database connection with wpdb's names. */
class Test_Db {
	public $prefix   = 'wp_';
	public $postmeta = 'wp_postmeta';
	private $link;

	public function __construct( mysqli $link ) {
		$this->link = $link;
	}

	public function prepare( $sql, ...$values ) {
		$at = 0;
		return preg_replace_callback(
			'/%[sd]/',
			function ( $found ) use ( $values, &$at ) {
				$value = $values[ $at++ ];
				return '%d' === $found[0] ? (string) (int) $value : "'" . $this->link->real_escape_string( (string) $value ) . "'";
			},
			$sql
		);
	}

	public function query( $sql ) {
		try {
			$done = $this->link->query( $sql );
		} catch ( mysqli_sql_exception $e ) {
			return false;
		}
		return true === $done ? $this->link->affected_rows : $done;
	}

	private function rows( $sql ) {
		$done = $this->query( $sql );
		return $done instanceof mysqli_result ? $done->fetch_all( MYSQLI_ASSOC ) : array();
	}

	public function get_var( $sql ) {
		$rows = $this->rows( $sql );
		return $rows ? array_values( $rows[0] )[0] : null;
	}

	public function get_row( $sql ) {
		$rows = $this->rows( $sql );
		return $rows ? (object) $rows[0] : null;
	}

	public function get_col( $sql ) {
		return array_map(
			function ( $row ) {
				return array_values( $row )[0];
			},
			$this->rows( $sql )
		);
	}

	public function suppress_errors( $quiet ) {
		return $quiet;
	}
}

/** A product: who keeps its number. */
class Test_Product {
	public $manages;
	public $keeper;

	public function __construct( $manages, $keeper ) {
		$this->manages = $manages;
		$this->keeper  = $keeper;
	}

	public function managing_stock() {
		return $this->manages;
	}

	public function get_stock_managed_by_id() {
		return $this->keeper;
	}
}

class WP_Error {
	public $code;
	public $data;

	public function __construct( $code, $message, $data ) {
		$this->code = $code;
		$this->data = $data;
	}
}

/** A request with a JSON body. */
class Test_Request {
	private $body;

	public function __construct( $body ) {
		$this->body = $body;
	}

	public function get_json_params() {
		return json_decode( json_encode( $this->body ), true );
	}
}

$GLOBALS['test_options']  = array( 'woocommerce_manage_stock' => 'yes' );
$GLOBALS['test_products'] = array();
$GLOBALS['test_synced']   = array();
$GLOBALS['test_may']      = true;

function wc_get_product( $id ) {
	return $GLOBALS['test_products'][ $id ] ?? false;
}
function current_user_can( $what, $id = 0 ) {
	return true === $GLOBALS['test_may'] || $GLOBALS['test_may'] === $what;
}
function add_post_meta( $id, $key, $value, $unique ) {
	global $wpdb;
	if ( null === $wpdb->get_var( $wpdb->prepare( "SELECT meta_id FROM wp_postmeta WHERE post_id = %d AND meta_key = %s", $id, $key ) ) ) {
		$wpdb->query( $wpdb->prepare( "INSERT INTO wp_postmeta (post_id, meta_key, meta_value) VALUES (%d, %s, %s)", $id, $key, $value ) );
	}
}
function wp_json_encode( $value ) {
	return json_encode( $value );
}
function get_option( $name ) {
	return $GLOBALS['test_options'][ $name ] ?? false;
}
function update_option( $name, $value ) {
	$GLOBALS['test_options'][ $name ] = $value;
}
function delete_option( $name ) {
	unset( $GLOBALS['test_options'][ $name ] );
}
function wp_next_scheduled( $hook ) {
	return false;
}
function wp_schedule_event( $at, $often, $hook ) {}
function wp_clear_scheduled_hook( $hook ) {}
function wp_cache_delete( $id, $group ) {}
function clean_post_cache( $id ) {}
function wc_update_product_stock( $id, $quantity, $operation ) {
	$GLOBALS['test_synced'][] = array( $id, $quantity, $operation );
}
